"""Small real member systems, which the demo starts and the tutorial explains. They know HTTP and nothing of Xacbe."""
