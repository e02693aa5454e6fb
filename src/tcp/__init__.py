"""The original programming interface: ``tcp.server`` and ``tcp.client``, a thin facade over tcpchat."""
