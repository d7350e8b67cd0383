"""Policies of IAM: who may do what, judged as AWS documents it, from nothing but documents and a request.

`documents` reads policies, `patterns` and `conditions` decide whether a statement is about a request, and `evaluation`
decides over all policies that apply to it. Nothing here knows moto, a file or a service.
"""
