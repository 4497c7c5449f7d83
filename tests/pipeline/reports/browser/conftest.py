"""A real browser without a screen, that looks at pages as their readers do."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)


class Reader:
    """What a reader does with a page, and what the page does then."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path, width=1280, height=900, *, dark=False, phone=False):
        self.say("Emulation.setEmulatedMedia", media="", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        ])  # fmt: skip
        self.say("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(path.as_uri())

    def say(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def ask(self, expression):
        return self.driver.execute_script(f"return {expression}")

    def wait(self, expression):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: self.ask(expression))

    def click(self, selector):
        self.driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    def press(self, selector, *keys):
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        for key in keys:
            element.send_keys(getattr(Keys, key, key))

    def pixels(self, canvas):
        """The canvas as an array, `(rows, columns, 3)`."""
        uri = self.ask(f"document.querySelector({json.dumps(canvas)}).toDataURL('image/png')")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")).astype(int)

    def screenshot(self):
        return base64.b64decode(self.say("Page.captureScreenshot", format="png")["data"])

    def complaints(self):
        """Errors of the page's programs, and what its policy refused."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Addresses that were asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def pdf_pages(self):
        content = base64.b64decode(self.say("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
        return len(re.findall(rb"/Type\s*/Page\b", content))


@contextmanager
def running(profile):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """A browser of the tests' own."""
    if not (shutil.which(CHROMIUM) and shutil.which(DRIVER)):
        pytest.skip("apt-get install chromium chromium-driver")
    with running(tmp_path_factory.mktemp("profile")) as driver:
        yield Reader(driver)
