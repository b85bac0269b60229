"""The Noise Protocol Framework, revision 34, with the hfs and psk modifiers.

One module for each object of the specification: ``handshakestate`` drives ``symmetricstate``, which
holds a ``cipherstate``; ``patterns`` are data, and ``protocol`` turns a protocol name into the
pattern and the functions (``dh``, ``kem``, ``cipher``, ``hash``) it stands for. "Section" in these
modules means a section of https://noiseprotocol.org/noise.html, and "hfs section" one of the draft
"KEM-based Hybrid Forward Secrecy for Noise", revision 1.

Not here, by intent: negotiation, fallback patterns, sockets, padding, and any draw of randomness
that the caller did not hand in (``ephemerals``).
"""
