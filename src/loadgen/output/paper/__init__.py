"""The surfaces that text is written on: streams, widths, colours, log lines."""
