"""Stands in for a coding agent: implements the issue that the environment names, in this directory.

Its first try at core#1 has a bug that the tests find. It forgets the docstring of api#2 until the
review asks for it. It cannot know the answer to web#2.
"""

import os
import sys
import time
from pathlib import Path

ISSUE = os.environ["WAVELANE_ISSUE"]
FEEDBACK = Path(os.environ["WAVELANE_FEEDBACK_FILE"]).read_text(encoding="utf-8")
BLOCKED = 10

SLUGIFY = '''
def slugify(title):
    """The part of an address that names a page."""
    words = "".join(c if c.isalnum() else " " for c in title).split()
    return "-".join(words){lower}
'''
INITIALS = '''
def initials(name):
    """The first letters of a name."""
    return "".join(part[0].upper() for part in name.split())
'''
SHORTEN = '''
def shorten(text, length):
    """The text, cut at a length."""
    return text if len(text) <= length else text[: length - 1] + "…"
'''
SERVE = '''
def page(slug):
    """The page of a slug; raises KeyError where there is none."""
    return PAGES[slug]
'''
LIST = """
def page_list():{doc}
    return sorted(PAGES)
"""
LIST_DOC = '''
    """The slugs of all pages, in order."""'''
COUNT = '''
VISITS = dict.fromkeys(PAGES, 0)


def visit(slug):
    """Count a visit, and return how many there were."""
    VISITS[slug] += 1
    return VISITS[slug]
'''
RENDER = '''
def render_page(title, body):
    """A page as HTML."""
    return f"<h1>{title}</h1><p>{body}</p>"
'''
RENDER_LIST = '''
def render_list(slugs):
    """A list of pages as HTML."""
    return "<ul>" + "".join(f"<li>{slug}</li>" for slug in slugs) + "</ul>"
'''


def append(file, code):
    """Add code to the end of a module."""
    path = Path(file)
    path.write_text(path.read_text(encoding="utf-8").rstrip() + "\n\n" + code, encoding="utf-8")


def add_function(name, code):
    """Add a function to core, and its name to the list at the top."""
    path = Path("text.py")
    text = path.read_text(encoding="utf-8")
    if f"def {name}(" in text:
        text = text[: text.index(f"\n\ndef {name}(")] + "\n"
    before, _, rest = text.partition("FUNCTIONS = [")
    listed, _, after = rest.partition("]")
    names = [one for one in listed.split(", ") if one and one != repr(name)] + [repr(name)]
    path.write_text(f"{before}FUNCTIONS = [{', '.join(names)}]{after}", encoding="utf-8")
    append("text.py", code)


def implement():
    """Do the work of one issue."""
    if ISSUE == "core#1":
        add_function("slugify", SLUGIFY.format(lower=".lower()" if FEEDBACK else ""))
    elif ISSUE == "core#2":
        add_function("initials", INITIALS)
    elif ISSUE == "core#3":
        add_function("shorten", SHORTEN)
    elif ISSUE == "api#1":
        append("pages.py", SERVE)
    elif ISSUE == "api#2" and FEEDBACK:
        path = Path("pages.py")
        code = path.read_text(encoding="utf-8")
        fixed = code.replace("def page_list():", "def page_list():" + LIST_DOC)
        path.write_text(fixed, encoding="utf-8")
    elif ISSUE == "api#2":
        append("pages.py", LIST.format(doc=""))
    elif ISSUE == "api#3":
        append("pages.py", COUNT)
    elif ISSUE == "web#1":
        append("render.py", RENDER)
    elif ISSUE == "web#4":
        append("render.py", RENDER_LIST)
    else:
        print("Which colour should the button have?")
        sys.exit(BLOCKED)


print(f"working on {ISSUE}: {os.environ['WAVELANE_TITLE']}")
if FEEDBACK:
    print(f"after feedback:\n{FEEDBACK}")
time.sleep(0.8)
implement()
