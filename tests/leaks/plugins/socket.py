"""A socket left open."""

from socket import socket, socketpair

left, right = socketpair()
lonely = [socket()]
