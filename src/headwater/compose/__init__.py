"""The composition root: settings → engines → operations → faces.

The only place that knows every adapter. A URL in the settings picks one, and its driver is imported
only then.

engines   what each URL opens, and what it refuses
data      the folder of the embedded engines
core      everything opened, and what use cases are given
faces     the application over a core
presence  how this process is known to the others of its deployment
services  what one process does with a core; in which order things start is in roles.py
"""
