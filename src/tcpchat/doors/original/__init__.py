"""The original tcpchat clients: their objects on the wire and the door that speaks them."""
