"""Packets that no honest program sends, and a look at what arrives: a program for a namespace.

    packets.py sniff             print "SOURCE PORT TARGET PORT" of each TCP packet that comes,
                                 and a word for each other one
    packets.py send SOURCE PORT TARGET PORT [--mac MAC] [--through HOP]
    packets.py redirect SOURCE TARGET VICTIM GATEWAY
    packets.py claim ADDRESS             say by ARP that the address is here

It runs as the host's root inside a machine's network namespace: a power that the machine's own
root does not have. Source: RFC 791 (IP), 792 (ICMP), 793 (TCP), 826 (ARP); packet(7).
"""

from __future__ import annotations

import argparse
import fcntl
import socket
import struct
import sys

LINK = "eth0"
_ETH_ALL, _ETH_IP, _ETH_ARP = 0x0003, 0x0800, 0x0806
_SIOCGIFHWADDR = 0x8927
_GATEWAY = "169.254.1.1"
_BROADCAST = b"\xff" * 6


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sniff")
    sending = commands.add_parser("send")
    sending.add_argument("source")
    sending.add_argument("source_port", type=int)
    sending.add_argument("target")
    sending.add_argument("port", type=int)
    sending.add_argument("--mac")
    sending.add_argument("--through")
    redirecting = commands.add_parser("redirect")
    for name in ("source", "target", "victim", "gateway"):
        redirecting.add_argument(name)
    commands.add_parser("claim").add_argument("address")
    words = parser.parse_args()
    if words.command == "sniff":
        sniff()
    elif words.command == "send":
        options = source_route(words.target, words.through) if words.through else b""
        first_hop = words.through or words.target
        segment = syn(words.source, words.source_port, words.target, words.port)
        send_frame(ip(words.source, first_hop, 6, segment, options), _ETH_IP, words.mac)
    elif words.command == "redirect":
        inner = ip(words.target, words.victim, 6, syn(words.target, 1, words.victim, 80))[:28]
        send_frame(ip(words.source, words.target, 1, icmp_redirect(words.gateway, inner)), _ETH_IP)
    else:
        send_frame(arp_announcement(words.address), _ETH_ARP, to=_BROADCAST)


def sniff() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_ALL)) as tap:
        tap.bind((LINK, 0))
        print("listening", flush=True)
        while True:
            frame, place = tap.recvfrom(2048)
            if place[2] == socket.PACKET_OUTGOING:
                continue
            kind = struct.unpack_from("!H", frame, 12)[0]
            if kind == _ETH_IP:
                length = (frame[14] & 0xF) * 4
                source, target = (socket.inet_ntoa(frame[n : n + 4]) for n in (26, 30))
                ports = struct.unpack_from("!HH", frame, 14 + length)
                tcp = frame[23] == socket.IPPROTO_TCP
                ends = (source, ports[0], target, ports[1]) if tcp else (source, target)
                print(*ends, *([] if tcp else [f"ip{frame[23]}"]), flush=True)
            elif kind == 0x86DD:
                print("ipv6", frame[22:38].hex(), frame[38:54].hex(), flush=True)


def send_frame(payload: bytes, kind: int, mac: str | None = None, to: bytes | None = None) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_ALL)) as tap:
        tap.bind((LINK, 0))
        own = bytes.fromhex(mac.replace(":", "")) if mac else hardware_address()
        tap.send((to or gateway_address()) + own + struct.pack("!H", kind) + payload)


def ip(source: str, target: str, protocol: int, body: bytes, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    fields = (0x40 | words, 0, words * 4 + len(body), 0x4772, 0, 64, protocol)
    head = struct.pack("!BBHHHBB", *fields)
    ends = socket.inet_aton(source) + socket.inet_aton(target) + options
    return head + struct.pack("!H", checksum(head + b"\0\0" + ends)) + ends + body


def source_route(target: str, through: str) -> bytes:
    """Loose source routing: by way of ``through`` on to ``target`` (RFC 791, section 3.1)."""
    return bytes((131, 7, 4)) + socket.inet_aton(target) + b"\0"


def syn(source: str, source_port: int, target: str, port: int) -> bytes:
    segment = struct.pack("!HHIIBBHHH", source_port, port, 4711, 0, 0x50, 0x02, 64240, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", 6, 20)
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def icmp_redirect(gateway: str, inner: bytes) -> bytes:
    body = socket.inet_aton(gateway) + inner
    return struct.pack("!BBH", 5, 1, checksum(b"\x05\x01\0\0" + body)) + body


def arp_announcement(address: str) -> bytes:
    own = hardware_address()
    head = struct.pack("!HHBBH", 1, _ETH_IP, 6, 4, 2)
    return head + own + socket.inet_aton(address) + _BROADCAST + socket.inet_aton(address)


def checksum(data: bytes) -> int:
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def hardware_address() -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("256s", LINK.encode())
        return fcntl.ioctl(probe.fileno(), _SIOCGIFHWADDR, request)[18:24]


def gateway_address() -> bytes:
    """The region's end of the link, as the kernel has learnt it."""
    with open("/proc/thread-self/net/arp") as table:  # noqa: PTH123
        for line in table.readlines()[1:]:
            words = line.split()
            if words[0] == _GATEWAY:
                return bytes.fromhex(words[3].replace(":", ""))
    sys.exit("the machine has not spoken to the region yet")


if __name__ == "__main__":
    main()
