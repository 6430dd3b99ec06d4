"""Registration: how the original lies in the published frame, to hundredths of a pixel."""
