"""The two functions of the TODO API. Tasks lie in an object of a bucket; boto3 is there, as on Lambda."""

import json
import os

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
WHERE = {"Bucket": os.environ["BUCKET"], "Key": "tasks.json"}


def load():
    try:
        return json.load(s3.get_object(**WHERE)["Body"])
    except ClientError as e:
        if e.response["Error"]["Code"] == "NoSuchKey":
            return []
        raise


def answer(status, body):
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def get_tasks(event, context):
    return answer(200, load())


def add_task(event, context):
    try:
        task = json.loads(event["body"] or "")["task"]
    except (ValueError, KeyError, TypeError):
        return answer(400, {"message": "The body must be an object with a task"})
    tasks = load() + [task]
    s3.put_object(**WHERE, Body=json.dumps(tasks).encode())
    return answer(201, {"task": task})
