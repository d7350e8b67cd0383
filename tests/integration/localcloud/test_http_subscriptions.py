"""HTTP endpoints of topics: they confirm their subscriptions, get messages, and what they refuse is not lost."""

from __future__ import annotations

import json
import queue
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.services.sns import http_delivery


@pytest.fixture
def topic(cloud: LocalCloud) -> str:
    return str(cloud.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex}")["TopicArn"])


@contextmanager
def endpoint(*statuses: int) -> Iterator[tuple[str, queue.Queue[tuple[dict[str, str], str]]]]:
    """An HTTP endpoint that answers with these statuses, then with 200: its address, and what it gets."""
    got: queue.Queue[tuple[dict[str, str], str]] = queue.Queue()
    answers = iter(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(next(answers, 200))
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/inbox", got
    finally:
        server.shutdown()
        server.server_close()


def test_an_http_endpoint_gets_messages_after_it_has_confirmed(cloud: LocalCloud, topic: str) -> None:
    sns = cloud.client("sns")
    with endpoint() as (url, got):
        subscribed = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
        assert subscribed["SubscriptionArn"] == "pending confirmation"
        headers, body = got.get(timeout=60)
        asked = json.loads(body)
        assert (headers["x-amz-sns-message-type"], asked["TopicArn"]) == ("SubscriptionConfirmation", topic)
        sns.publish(TopicArn=topic, Message="too early")
        with pytest.raises(sns.exceptions.InvalidParameterException, match="Token"):
            sns.confirm_subscription(TopicArn=topic, Token="0" * 272)
        with urllib.request.urlopen(asked["SubscribeURL"], timeout=60) as answer:  # noqa: S310 - loopback
            confirmed = answer.read().decode()
        arn = sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])["SubscriptionArn"]
        assert f"<SubscriptionArn>{arn}</SubscriptionArn>" in confirmed
        attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        assert attributes["PendingConfirmation"] == "false"
        sns.publish(TopicArn=topic, Message="hello", Subject="greeting")
        headers, body = got.get(timeout=60)
        assert (json.loads(body)["Message"], json.loads(body)["Subject"]) == ("hello", "greeting")
        assert (headers["x-amz-sns-message-type"], headers["x-amz-sns-subscription-arn"]) == ("Notification", arn)
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true")
        sns.publish(TopicArn=topic, Message="raw")
        headers, body = got.get(timeout=60)
        assert (headers["x-amz-sns-rawdelivery"], body) == ("true", "raw")


def test_what_an_http_endpoint_refuses_goes_to_the_dead_letter_queue(
    cloud: LocalCloud, topic: str, eventually: Any
) -> None:
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    policy = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}
    attributes = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [policy]})}
    dead = sqs.create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    with endpoint(200, 400) as (url, got):
        redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})}
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url, Attributes=redrive)
        sns.confirm_subscription(TopicArn=topic, Token=json.loads(got.get(timeout=60)[1])["Token"])
        sns.publish(TopicArn=topic, Message="refused")
        [message] = eventually(lambda: sqs.receive_message(QueueUrl=dead).get("Messages"))
    assert json.loads(message["Body"])["Message"] == "refused"


@pytest.mark.parametrize("statuses", [[400], [500, 429, 503, 500]])
def test_what_an_http_endpoint_does_not_take_is_counted_once(
    cloud: LocalCloud, topic: str, eventually: Any, statuses: list[int]
) -> None:
    sns, name = cloud.client("sns"), topic.rpartition(":")[2]

    def failed() -> list[float]:
        now = datetime.now(UTC)
        [answer] = cloud.client("cloudwatch").get_metric_data(
            StartTime=now - timedelta(hours=3),
            EndTime=now + timedelta(hours=1),
            MetricDataQueries=[
                {
                    "Id": "failed",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/SNS",
                            "MetricName": "NumberOfNotificationsFailed",
                            "Dimensions": [{"Name": "TopicName", "Value": name}],
                        },
                        "Period": 60,
                        "Stat": "Sum",
                    },
                }
            ],
        )["MetricDataResults"]
        return [float(value) for value in answer["Values"]]

    with endpoint(200, *statuses) as (url, got):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
        sns.confirm_subscription(TopicArn=topic, Token=json.loads(got.get(timeout=60)[1])["Token"])
        sns.publish(TopicArn=topic, Message="refused")
        assert eventually(lambda: failed() == [1.0])
        sns.publish(TopicArn=topic, Message="taken")
        assert [json.loads(got.get(timeout=60)[1])["Message"] for _ in [*statuses, "taken"]][-1] == "taken"
    assert failed() == [1.0]


def test_nothing_is_sent_to_endpoints_of_other_machines() -> None:
    reachable = ["http://localhost:80/", "https://127.0.0.1/x", "http://[::1]:8080/", "http://a.localhost/"]
    assert [http_delivery.is_reachable(address) for address in reachable] == [True] * 4
    others = ["http://example.com/", "https://10.0.0.1/", "http://localhost.example.com/", "http://169.254.169.254/"]
    assert [http_delivery.is_reachable(address) for address in others] == [False] * 4
