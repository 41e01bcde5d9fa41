"""What feedparser says of every file of its own tests: a JSON object a line, for tests/corpus.rs.

Usage: said.py DIRECTORY

The files say themselves with which headers they are to be served: lines `Header: NAME: VALUE` in their first comment.
Only the content type is handed on. Nothing is sanitized: that is not what is compared.
"""

import json
import pathlib
import re
import sys

import feedparser

HEADER = re.compile(rb"^\s*Header:\s*([\w-]+)\s*:\s*(.*?)\s*$", re.MULTILINE)


def content_type(body):
    """The value of the header as the file asks for it, or None."""
    for name, value in HEADER.findall(body[:4096]):
        if name.lower() == b"content-type":
            return value.decode("latin-1")
    return None


def said(path, url):
    """The file, and what feedparser finds in it."""
    body = path.read_bytes()
    served = content_type(body)
    headers = {"content-location": url}
    if served is not None:
        headers["content-type"] = served
    line = {"content_type": served, "url": url, "version": None, "entries": [], "error": None}
    try:
        feed = feedparser.parse(body, response_headers=headers, sanitize_html=False)
    except Exception as error:  # Whatever it is, it is what feedparser has to say.
        line["error"] = repr(error)
        return line
    line["version"] = feed.get("version")
    line["title"] = feed.feed.get("title")
    for entry in feed.entries:
        found = {name: entry.get(name) for name in ("title", "link", "id")}
        # Without a link feedparser hands out the id as one, whatever it is.
        found["is_link_an_id"] = not entry.get("links")
        line["entries"].append(found)
    return line


def main():
    root = pathlib.Path(sys.argv[1])
    for path in sorted(root.rglob("*.xml")):
        name = path.relative_to(root).as_posix()
        line = said(path, "http://feeds.example.org/" + name)
        print(json.dumps({"file": name, **line}))


main()
