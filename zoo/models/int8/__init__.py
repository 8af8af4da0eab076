"""Networks in 8 bits, whatever the format: calibration, layers kept in float by what they cost, threshold re-fitted.

What differs between formats is how a file is calibrated and written, and that is a `Quantiser` of the format's plugin.
"""
