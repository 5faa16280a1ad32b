"""The page: what a browser is shown, made on the server."""
