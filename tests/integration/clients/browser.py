"""Loads a page in headless Chromium and says what a person would see there.

browser.py URL WIDTH light|dark PICTURE.png
Prints one JSON object: the page's title and text, its "width" beside that of the "window", whether it "overflows", its
"ground" (background colour), and "complaints": what the browser logged (a blocked style, a failed load), without a
missing favicon.

Talks to Chromium by its DevTools protocol over two pipes (--remote-debugging-pipe): JSON, each message ends with NUL.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile

url, width, scheme, picture = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
MEASURE = """({
  title: document.title, text: document.body.innerText, width: document.documentElement.scrollWidth,
  window: innerWidth, height: document.documentElement.scrollHeight,
  ground: getComputedStyle(document.body).backgroundColor,
  overflows: [...document.querySelectorAll('main *')].some(e => e.getBoundingClientRect().right > innerWidth + 1)
})"""

to_browser, commands = os.pipe()
answers, from_browser = os.pipe()


def inherit():
    os.dup2(to_browser, 3)
    os.dup2(from_browser, 4)


with tempfile.TemporaryDirectory() as profile:
    browser = subprocess.Popen(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe",
         f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(3, 4), preexec_fn=inherit, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(to_browser)
    os.close(from_browser)
    incoming = os.fdopen(answers, "rb")
    last, complaints, loaded = 0, [], set()

    def next_message():
        text = bytearray()
        while (byte := incoming.read(1)) != b"\0":
            if not byte:
                sys.exit("Chromium has ended")
            text += byte
        message = json.loads(text)
        if message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            if "favicon" not in entry.get("url", "") + entry["text"]:
                complaints.append(entry["text"])
        if message.get("method") == "Page.loadEventFired":
            loaded.add(True)
        return message

    def call(method, session=None, **parameters):
        global last
        last += 1
        command = {"id": last, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(commands, json.dumps(command).encode() + b"\0")
        while (message := next_message()).get("id") != last:
            pass
        if "error" in message:
            sys.exit(f"{method}: {message['error']}")
        return message["result"]

    target = call("Target.createTarget", url="about:blank")["targetId"]
    tab = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    call("Log.enable", tab)
    call("Page.enable", tab)
    call("Emulation.setDeviceMetricsOverride", tab, width=width, height=844, deviceScaleFactor=1, mobile=width < 600)
    call("Emulation.setEmulatedMedia", tab, features=[{"name": "prefers-color-scheme", "value": scheme}])
    call("Page.navigate", tab, url=url)
    while not loaded:
        next_message()
    seen = call("Runtime.evaluate", tab, expression=MEASURE, returnByValue=True)["result"]["value"]
    shot = call("Page.captureScreenshot", tab, captureBeyondViewport=True,
                clip={"x": 0, "y": 0, "width": width, "height": seen["height"], "scale": 1})
    with open(picture, "wb") as file:
        file.write(base64.b64decode(shot["data"]))
    call("Browser.close")  # and so no process of it still writes into the profile
    browser.wait()
    print(json.dumps(seen | {"complaints": complaints}))
