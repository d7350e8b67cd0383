"""S3: buckets, and the objects in them."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from localcloud.console import reading

blueprint = Blueprint("objects", __name__)

SHOWN = 200
#: So much of an object is shown, in bytes, if it is text.
PREVIEW = 20_000


@blueprint.get("/s3")
def show_all() -> str:
    """Show the buckets."""
    return render_template("buckets.html", buckets=reading.client("s3").list_buckets()["Buckets"])


@blueprint.get("/s3/<bucket>")
def show(bucket: str) -> str:
    """Show the objects of a bucket below a prefix."""
    prefix, after = request.args.get("prefix", ""), request.args.get("after", "")
    chosen = {"StartAfter": after} if after else {}
    page = reading.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=SHOWN, **chosen)
    return render_template(
        "bucket.html",
        bucket=bucket,
        prefix=prefix,
        above=prefix.rstrip("/").rpartition("/")[0] + "/" if "/" in prefix.rstrip("/") else "",
        folders=[row["Prefix"] for row in page.get("CommonPrefixes", [])],
        objects=[row for row in page.get("Contents", []) if row["Key"] != prefix],
        more=page["IsTruncated"],
    )


@blueprint.get("/s3/<bucket>/object")
def show_object(bucket: str) -> str:
    """Show an object: what S3 says about it and, if it is text, its beginning."""
    key, client = request.args.get("key", ""), reading.client("s3")
    head = client.head_object(Bucket=bucket, Key=key)
    end = min(PREVIEW, head["ContentLength"]) - 1
    chosen = {"Range": f"bytes=0-{end}"} if end >= 0 else {}
    content = client.get_object(Bucket=bucket, Key=key, **chosen)["Body"].read()
    return render_template("object.html", bucket=bucket, key=key, head=head, text=_text(content), preview=PREVIEW)


def _text(content: bytes) -> str | None:
    """Return content as text, whose last character may be cut; None if it is not text."""
    if b"\0" in content:
        return None
    text = content.decode("utf-8", errors="replace")
    return None if "\ufffd" in text[:-1] else text.rstrip("\ufffd")
