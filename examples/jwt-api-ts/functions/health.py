import json
import os
import platform


def handler(event, context):
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(
            {
                "status": "ok",
                "stage": os.environ["STAGE"],
                "python": platform.python_version(),
            }
        ),
    }
