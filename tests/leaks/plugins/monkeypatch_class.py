"""A method of the host's replaced by a closure around it."""

import functools

import the_host


def louder(send):
    @functools.wraps(send)
    def wrapper(self):
        return send(self).upper()

    return wrapper


the_host.Mailer.send = louder(the_host.Mailer.send)
