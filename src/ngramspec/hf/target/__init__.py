"""The model as a target: blocks, a cache whose rows advance by different amounts, and forward passes."""
