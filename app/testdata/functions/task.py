def main(event, context):
    return {"statusCode": 204}
