"""Clients by their certificates; imported only where they are on."""

from __future__ import annotations

import ipaddress
import time

from starlette.types import Scope

from atraso.core.errors import SettingsError
from atraso.identity.peers import PeerNames, expires_at
from atraso.serving.guard import Admitted, Refused


class CertificatePeers:
    """Clients by their certificate: shown in the handshake, or named by a gateway whose address is believed."""

    def __init__(self, names: PeerNames, header: str, gateways: str) -> None:
        self._names, self._header = names, header.lower().encode()
        try:
            self._gateways = [ipaddress.ip_network(g.strip()) for g in gateways.split(",") if g.strip()]
        except ValueError as error:
            raise SettingsError(f"mtls_gateways has something that is no address or network: {error}.") from None
        if bool(self._header) != bool(self._gateways):
            raise SettingsError("mtls_header is believed from mtls_gateways alone: set both, or neither.")

    def principal_of(self, scope: Scope) -> Admitted | Refused | None:
        """Return whom the certificate of a request names, or None where none was shown."""
        certificate = scope.get("extensions", {}).get("tls", {}).get("peer_certificate")
        if certificate is not None:
            found, until = self._names.of_certificate(certificate), expires_at(certificate)
            if found is None:
                return Refused("unknown certificate")
            return Admitted(found, until) if time.time() < until else Refused("expired certificate", found.name)
        told = [value for name, value in scope["headers"] if name == self._header] if self._header else []
        if not told or not self._is_gateway(scope):
            return None
        found = self._names.of_text(told[0].decode("utf-8", "replace")) if len(told) == 1 else None
        return Refused("unknown certificate") if found is None else Admitted(found)

    def _is_gateway(self, scope: Scope) -> bool:
        client = scope.get("client")
        try:
            address = ipaddress.ip_address(client[0] if client else "")
        except ValueError:
            return False
        # A listener for both families tells addresses of IPv4 in the form of IPv6.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._gateways)
