"""Files of offices and clearing houses read into records. Pure; nothing here opens a table or a socket."""
