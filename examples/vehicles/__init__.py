"""A register of vehicles by plate, the system of a member that offers a service: `python -m examples.vehicles`."""
