"""The paperwork of rights and works. No behaviour: changed by `rights.actions`, read by `rights.queries`."""
