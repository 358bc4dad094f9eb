"""Tests of foresight: what a text under a schema will probably say next."""
