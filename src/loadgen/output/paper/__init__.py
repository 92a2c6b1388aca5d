"""What text is written on: streams, widths, colours, log lines."""
