"""What a text under a schema will probably say next."""
