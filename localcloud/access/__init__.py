"""Who may send a request: no web page of another site, and whoever signs with a key of this cloud."""
