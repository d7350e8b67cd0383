"""The local cloud while web pages of somebody else are open in a real browser on the same machine."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from playwright.sync_api import Browser, Page

from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.services.neptune import behaviour as neptune

FORM = "application/x-www-form-urlencoded"


class Empty(http.server.BaseHTTPRequestHandler):
    """A page of a foreign site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title>")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of http://evil.example, which this machine serves."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        opened = browser.new_page()
        opened.goto(f"http://evil.example:{site.server_port}/")
        yield opened
        opened.close()
        site.shutdown()


@pytest.fixture(params=["cloud", "known"])
def secret(request: pytest.FixtureRequest, cloud: LocalCloud) -> str:
    """A page that has found out the cloud's secret key, or knows the one that programs of this user may use."""
    return cloud.environment()["AWS_SECRET_ACCESS_KEY"] if request.param == "cloud" else "local"


@pytest.fixture
def bucket(cloud: LocalCloud) -> str:
    name = f"bucket-{time.time_ns()}"
    cloud.client("s3").create_bucket(Bucket=name)
    return name


def instance_that_runs(command: str) -> str:
    """The body of a request for an instance whose user data runs a command on this machine."""
    asked = {"Action": "RunInstances", "Version": "2016-11-15", "ImageId": "ami-12c6146b", "MinCount": "1"}
    asked |= {"MaxCount": "1", "InstanceType": "t3.micro", "InstanceInitiatedShutdownBehavior": "terminate"}
    return urlencode(asked | {"UserData": base64.b64encode(f"#!/bin/bash\n{command}\n".encode()).decode()})


def signer(cloud: LocalCloud, service: str, secret: str) -> Any:
    """A client that signs URLs and forms with this secret key."""
    access = {"aws_access_key_id": "local", "aws_secret_access_key": secret}
    return boto3.client(service, endpoint_url=cloud.endpoint, region_name="us-east-1", **access)


def signed(cloud: LocalCloud, service: str, secret: str, body: str, **headers: str) -> dict[str, str]:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest("POST", f"{cloud.endpoint}/", headers, body.encode())
    SigV4Auth(Credentials("local", secret), service, "us-east-1").add_auth(request)
    return dict(request.headers)


def send(page: Page, url: str, **options: Any) -> str:
    """What a script of the page sees of its own request: the status and the answer, or an error."""
    script = """async ([url, options]) => {
      try { const answer = await fetch(url, options); return `${answer.status} ${await answer.text()}` }
      catch (error) { return `${error}` }
    }"""
    return str(page.evaluate(script, [url, options]))


def test_a_page_cannot_run_a_command_by_a_signed_request(
    cloud: LocalCloud, page: Page, secret: str, tmp_path: Path
) -> None:
    body = instance_that_runs(f"touch {tmp_path}/marker")
    headers = signed(cloud, "ec2", secret, body, Content_Type=FORM)
    assert send(page, cloud.endpoint, method="POST", headers=headers, body=body) == "TypeError: Failed to fetch"
    assert cloud.client("ec2").describe_instances()["Reservations"] == []
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("kind", [FORM, "text/plain"])
def test_a_page_cannot_run_a_command_by_a_request_that_needs_no_permission(
    cloud: LocalCloud, page: Page, secret: str, kind: str, tmp_path: Path
) -> None:
    body = instance_that_runs(f"touch {tmp_path}/marker")
    own = signer(cloud, "ec2", secret)
    url = own.generate_presigned_url("describe_instances")
    for address in (cloud.endpoint, url, f"{url}&{body}"):
        sent = send(page, address, method="POST", mode="no-cors", headers={"Content-Type": kind}, body=body)
        assert sent in {"0 ", "TypeError: Failed to fetch"}
        page.evaluate(
            "([url, body, type]) => navigator.sendBeacon(url, new Blob([body], {type}))", [address, body, kind]
        )
    page.evaluate(
        """async urls => { for (const url of urls) await new Promise(done => {
          const image = new Image(); image.onload = image.onerror = done; image.src = url }) }""",
        [f"{url}&{body}", f"{cloud.endpoint}/?{body}", f"{cloud.endpoint}/ec2_us-east-1/?{body}"],
    )
    assert cloud.client("ec2").describe_instances()["Reservations"] == []
    assert not (tmp_path / "marker").exists()


def test_a_pages_form_uploads_nothing(cloud: LocalCloud, page: Page, secret: str, bucket: str) -> None:
    own = signer(cloud, "s3", secret)
    policy = own.generate_presigned_post(bucket, "by-a-form")["fields"]
    for fields in (policy, {"key": "by-a-form"}):
        page.evaluate(
            """([action, fields]) => {
              const frame = Object.assign(document.createElement('iframe'), {name: 'frame'})
              const form = Object.assign(document.createElement('form'),
                {action, method: 'POST', enctype: 'multipart/form-data', target: 'frame'})
              for (const [name, value] of Object.entries({...fields, file: 'content'}))
                form.append(Object.assign(document.createElement('input'), {name, value}))
              document.body.append(frame, form)
              return new Promise(done => {
                const end = () => { frame.remove(); done() }
                frame.onload = end; setTimeout(end, 5000); form.submit() })
            }""",
            [f"{cloud.endpoint}/{bucket}", fields],
        )
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket=bucket)


def test_a_page_reads_nothing(cloud: LocalCloud, page: Page, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="data.js", Body=b"window.stolen = true", ContentType="text/javascript")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "data.js"})
    assert send(page, url) == "TypeError: Failed to fetch"
    page.evaluate(
        """url => new Promise(done => {
          const script = document.createElement('script')
          Object.assign(script, {src: url, onload: done, onerror: done}); document.head.append(script) })""",
        url,
    )
    assert page.evaluate("window.stolen === undefined")
    assert (
        page.evaluate(
            """url => new Promise(done => { const socket = new WebSocket(url)
          socket.onopen = () => done('open'); socket.onerror = () => done('refused') })""",
            cloud.endpoint.replace("http", "ws"),
        )
        == "refused"
    )


def test_a_page_whose_name_is_made_to_lead_here_is_not_served(cloud: LocalCloud, browser: Browser, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="object", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "object"})
    page = browser.new_page()
    answer = page.goto(url.replace("localhost", "rebound.example"))
    assert answer
    assert answer.status == 403
    assert "rebound.example" in page.inner_text("body")
    assert send(page, "/", method="POST", body=instance_that_runs("true")).startswith("403 The host")
    page.close()


def test_a_link_that_the_owner_opens_is_served(cloud: LocalCloud, browser: Browser, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="report", Body=b"<p>content", ContentType="text/html")
    page = browser.new_page()
    page.goto(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "report"}))
    assert page.inner_text("p") == "content"
    # What it shows may have come from anywhere, and knows no key; the one that everybody knows is not for browsers.
    body = instance_that_runs("true")
    headers = signed(cloud, "ec2", "local", body, Content_Type=FORM)
    assert send(page, cloud.endpoint, method="POST", headers=headers, body=body).startswith("403 ")
    page.close()


def test_a_page_changes_nothing_in_an_engine(page: Page, tmp_path: Path) -> None:
    process, port = neptune.start(tmp_path)
    url, body = f"http://localhost:{port}/openCypher", urlencode({"query": "CREATE (p:Page)"})
    for mode in ("cors", "no-cors"):
        for kind in (FORM, "text/plain"):
            send(page, url, method="POST", mode=mode, headers={"Content-Type": kind}, body=body)
    send(page, f"{url}?{body}", mode="no-cors")
    count = urlencode({"query": "MATCH (p:Page) RETURN count(p) AS pages"})
    with urllib.request.urlopen(url, count.encode(), timeout=60) as answer:
        assert json.load(answer)["results"] == [{"pages": 0}]
    processes.end(process)
