"""HTTP, the page, WebSocket, and the posting interface."""
