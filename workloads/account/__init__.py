"""What there is in an AWS account, asked by read-only operations before something is sent there that would fail.

reader.py  asks each question once, and tells what the credentials do not allow
facts.py   what several callers want to know: quotas, vCPUs, the way from a subnet to AWS, images
"""
