"""A report in a browser: reading out, hiding, zooming, choosing an axis, sorting, saving, without a word on the console.

Skips where headless Chromium is missing: `scripts/install_packages.sh browser`."""

import json
import shutil
import sys
import time
import unittest
from pathlib import Path

from program import ProgramTest, main

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None
MISSING = [name for name, found in (("chromium", shutil.which("chromium")), ("chromedriver", shutil.which("chromedriver")),
                                    ("python3-selenium", webdriver)) if not found]
BASE = {
    "run": {"nodes": 4, "steps": 200, "replicas": 2},
    "data": {"name": "synthetic", "samples": 600, "features": 8, "classes": 3, "batch": 4},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 20},
}


@unittest.skipIf(MISSING, f"not installed: {', '.join(MISSING)}")
class BrowserTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1200,1000"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        cls.browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        cls.addClassCleanup(cls.browser.quit)

    def setUp(self):
        super().setUp()
        config = self.write_config(BASE)
        for name in ("sgp", "scsp", "sparse_push"):
            self.run_ok(config, f"runs/{name}", "--set", f"algorithm.name={name}")
        self.assertEqual(self.command("report", "runs").returncode, 0)
        self.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(self.folder)})
        self.open(self.folder / "runs/report.html")

    def tearDown(self):
        self.assertEqual(self.browser.get_log("browser"), [])
        asked = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        urls = {event["params"]["request"]["url"] for event in asked if event["method"] == "Network.requestWillBeSent"}
        self.assertTrue(all(url.startswith(("file:", "blob:")) for url in urls), urls)

    def open(self, path):
        self.browser.get(path.as_uri())

    def rows(self):
        return {row["label"]: row for row in json.loads(self.all("#rows")[0].get_attribute("textContent"))}

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def chart(self, name="accuracy_mean-step"):
        (chart,) = self.all(f'svg[data-name="{name}"]')
        return chart

    def point(self, chart, right, down=0.0):
        """Moves the pointer to a place in the plot: right and down from its middle, in halves of it."""
        left, top, width, height = map(float, chart.get_attribute("data-plot").split())
        box = chart.rect
        scale = box["width"] / 480
        x = (left + width * (1 + right) / 2 - 240) * scale
        y = (top + height * (1 + down) / 2 - 150) * scale
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
        return ActionChains(self.browser, duration=50).move_to_element_with_offset(chart, x, y)

    def shown_lines(self, chart):
        return {line.get_attribute("data-row") for line in chart.find_elements(By.CSS_SELECTOR, "polyline") if line.is_displayed()}

    def test_reads_out_the_numbers_at_the_pointer(self):
        self.point(self.chart(), 0.28).perform()  # at step 160 of 250, with final rounds
        (readout,) = self.all("#readout")
        self.assertTrue(readout.is_displayed())
        rows = self.rows()
        said = {cells[0].text: cells[1].text for cells in
                (line.find_elements(By.CSS_SELECTOR, "td")[1:] for line in self.all("#readout tr"))}
        self.assertEqual(set(said), set(rows))
        row = rows["sgp"]
        at = row["step"].index(160)
        self.assertEqual(said["sgp"], f"{100 * row['accuracy_mean'][at]:.2f} %")
        self.assertIn("step 160", readout.text)
        ActionChains(self.browser).move_by_offset(0, -400).perform()
        self.assertFalse(readout.is_displayed())

    def test_hides_and_shows_rows(self):
        chart = self.chart()
        button = next(button for button in self.all(".rows button") if button.get_attribute("data-row") == "sgp")
        self.assertEqual(button.text, "sgp")
        button.click()
        self.assertEqual(button.get_attribute("aria-pressed"), "false")
        self.assertEqual(self.shown_lines(chart), {"scsp", "sparse_push"})
        button.send_keys(Keys.ENTER)  # by keyboard as well
        self.assertEqual(self.shown_lines(chart), {"sgp", "scsp", "sparse_push"})
        ActionChains(self.browser).double_click(button).perform()
        self.assertEqual(self.shown_lines(chart), {"sgp"})
        ActionChains(self.browser).double_click(button).perform()
        self.assertEqual(self.shown_lines(chart), {"sgp", "scsp", "sparse_push"})

    def test_zooms_and_shows_all_again(self):
        chart = self.chart()

        def seen():
            return ([text.text for text in chart.find_elements(By.CSS_SELECTOR, ".ticks text")],
                    chart.find_element(By.CSS_SELECTOR, ".plot").get_attribute("transform"))

        before = seen()
        self.point(chart, -0.5, -0.5).click_and_hold().perform()
        self.point(chart, 0.5, 0.8).release().perform()
        ticks, transform = seen()
        self.assertNotEqual(ticks, before[0])
        self.assertIn("matrix(", transform)
        across = [float(text) for text in ticks if not text.endswith("%")]
        self.assertTrue(45 <= min(across) and max(across) <= 155, ticks)  # of 200 steps the middle half
        self.point(chart, 0.0).double_click().perform()
        self.assertEqual(seen(), before)

    def test_shows_another_axis(self):
        self.assertFalse(self.chart("accuracy_mean-epoch").is_displayed())
        for axis, text in (("epoch", "epochs"), ("bytes_wire", "bytes"), ("seconds", "seconds"), ("step", "steps")):
            next(button for button in self.all("figure:first-of-type .tools button") if button.text == text).click()
            shown = [chart.get_attribute("data-name") for chart in self.all("svg[data-plot]") if chart.is_displayed()]
            self.assertIn(f"accuracy_mean-{axis}", shown)
            self.assertEqual(len([name for name in shown if name.startswith("accuracy_mean-")]), 1)
            self.assertIn(f"test_loss-{axis}", shown)
            self.assertIn("consensus-step", shown)  # which has no other axis
            self.point(self.chart(f"accuracy_mean-{axis}"), 0.9).perform()
            self.assertTrue(self.all("#readout")[0].is_displayed())

    def test_sorts_tables(self):
        table = self.all("table.sortable")[0]
        heads = table.find_elements(By.CSS_SELECTOR, "th")
        column = next(i for i, head in enumerate(heads) if head.text == "bytes sent")

        def values():
            return [float(tr.find_elements(By.CSS_SELECTOR, "td")[column].get_attribute("data-value"))
                    for tr in table.find_elements(By.CSS_SELECTOR, "tbody tr")]

        heads[column].click()
        self.assertEqual(values(), sorted(values()))
        self.assertEqual(heads[column].get_attribute("aria-sort"), "ascending")
        heads[column].send_keys(Keys.ENTER)
        self.assertEqual(values(), sorted(values(), reverse=True))
        heads[0].click()
        names = [tr.find_elements(By.CSS_SELECTOR, "td")[0].text for tr in table.find_elements(By.CSS_SELECTOR, "tbody tr")]
        self.assertEqual(names, sorted(names))

    def saved(self, name):
        deadline = time.monotonic() + 20
        while not (self.folder / name).exists():
            self.assertLess(time.monotonic(), deadline, f"{name} was not saved")
            time.sleep(0.1)
        return (self.folder / name).read_text()

    def test_saves_numbers_and_pictures(self):
        figure = self.chart().find_element(By.XPATH, "ancestor::figure")
        buttons = {button.text: button for button in figure.find_elements(By.CSS_SELECTOR, ".tools button")}
        buttons["CSV"].click()
        lines = self.saved("accuracy_mean-step.csv").splitlines()
        self.assertEqual(lines[0], "row,step,accuracy_mean")
        self.assertEqual(len(lines), 1 + sum(len(row["step"]) for row in self.rows().values()))
        buttons["SVG"].click()
        picture = self.saved("accuracy_mean-step.svg")
        self.assertIn("sparse_push</text>", picture)
        self.assertIn("viewBox=\"0 0 480 3", picture)
        self.open(self.folder / "accuracy_mean-step.svg")  # an error of XML would be on the console

    def test_fits_into_a_narrow_window(self):
        try:
            self.browser.set_window_size(500, 900)
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                         {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True})
            self.open(self.folder / "runs/report.html")
            self.assertLessEqual(self.browser.execute_script("return document.documentElement.scrollWidth"), 400)
        finally:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            self.browser.set_window_size(1200, 1000)

    def test_shows_all_without_script(self):
        self.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            self.open(self.folder / "runs/report.html")
            self.assertTrue(all(chart.is_displayed() for chart in self.all("svg[data-plot]")))
            self.assertEqual(self.all(".tools"), [])
        finally:
            self.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


if __name__ == "__main__":
    if MISSING:
        print(f"skipped: not installed: {', '.join(MISSING)}", file=sys.stderr)
    main()
