"""What one would write in an afternoon: one process, one feed after the other, into the same tables.

    scrape.py DATABASE_URL
"""

import calendar
import datetime
import hashlib
import sys

import feedparser
import psycopg
import requests

INSERT = """
INSERT INTO episodes (feed_id, key, guid, title, summary, link, enclosure_url, enclosure_type, enclosure_bytes,
                      duration, published, content_hash)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (feed_id, key) DO UPDATE
SET guid = excluded.guid, title = excluded.title, summary = excluded.summary, link = excluded.link,
    enclosure_url = excluded.enclosure_url, enclosure_type = excluded.enclosure_type,
    enclosure_bytes = excluded.enclosure_bytes, duration = excluded.duration, published = excluded.published,
    content_hash = excluded.content_hash
"""
DONE = """
UPDATE feeds
   SET etag = %s, title = %s, last_status = %s, last_success = clock_timestamp(), next_fetch = clock_timestamp() + every
 WHERE id = %s
"""


def seconds(text):
    total = 0
    for part in (text or "0").split(":"):
        total = total * 60 + int(part)
    return total or None


def row(feed, entry):
    guid = entry.get("id") or entry.get("link")
    key = hashlib.sha256(guid.encode()).digest()
    enclosure = entry.enclosures[0] if entry.get("enclosures") else {}
    published = entry.get("published_parsed")
    if published:
        published = datetime.datetime.fromtimestamp(calendar.timegm(published), datetime.timezone.utc)
    values = (
        guid,
        entry.get("title"),
        entry.get("summary"),
        entry.get("link"),
        enclosure.get("href"),
        enclosure.get("type"),
        int(enclosure.get("length") or 0) or None,
        seconds(entry.get("itunes_duration")),
        published,
    )
    return (feed, key, *values, hashlib.sha256(repr(values).encode()).digest())


def main():
    session = requests.Session()
    with psycopg.connect(sys.argv[1]) as connection:
        due = "SELECT id, url, etag FROM feeds WHERE next_fetch <= clock_timestamp() ORDER BY next_fetch"
        for feed, url, etag in connection.execute(due).fetchall():
            answer = session.get(url, timeout=20, headers={"If-None-Match": etag} if etag else {})
            document = None
            if answer.status_code == 200:
                document = feedparser.parse(answer.content)
                with connection.cursor() as cursor:
                    cursor.executemany(INSERT, [row(feed, entry) for entry in document.entries])
            title = document.feed.get("title") if document else None
            connection.execute(DONE, (answer.headers.get("ETag"), title, answer.status_code, feed))
            connection.commit()


main()
