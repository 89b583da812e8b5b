"""Uploads three flights and says so: a publisher with nothing but Python's standard library."""

import base64
import datetime
import json
import sys
import urllib.request

cloud, project, bucket = sys.argv[1:4]


def post(url: str, body: bytes, content_type: str) -> dict:
    request = urllib.request.Request(url, body, {"content-type": content_type})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


flights = """date,hour,weekday,distance,origin,destination,originLateRate,outcome
2001-03-01T06:10:00Z,6,4,731,ATL,BOS,0.2,on-time
2001-03-01T07:25:00Z,7,4,5,ORD,SFO,0.31,late
2001-03-01T09:00:00Z,9,4,1235,DFW,JFK,0.12,on-time
"""
name = "python/flights.csv"
post(
    f"{cloud}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}",
    flights.encode(),
    "text/csv",
)
event = {
    "specversion": "1.0",
    "type": "dataset.arrived",
    "id": "python/1",
    "source": "test/python",
    "time": datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z"),
    "data": {"dataset": "flights", "uris": [f"gs://{bucket}/{name}"]},
}
message = {"data": base64.b64encode(json.dumps(event).encode()).decode()}
print(
    post(
        f"{cloud}/v1/projects/{project}/topics/dataset:publish",
        json.dumps({"messages": [message]}).encode(),
        "application/json",
    )
)
