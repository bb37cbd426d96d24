"""The page of format="web", in headless Chromium, with real drawings."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import pathlib
import re
import shutil
import threading
import zipfile

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export, learners
from tfmeta.data.pictures.fit import fit_image
from tfmeta.export.formats import web
from tfmeta.nets import mlp

PAGE = pathlib.Path(web.__file__).parent / "page"
EPISODES = 100
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--disable-dev-shm-usage"),
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of plain files, as any other."""

    def log_message(self, *said) -> None:
        """Prints nothing."""


def serve(folder: pathlib.Path) -> http.server.ThreadingHTTPServer:
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def folder(real_data, tmp_path_factory) -> pathlib.Path:
    """The page of a strided MAML that ships."""
    pytest.importorskip("tf2onnx", reason="needs the extra 'device'")
    if not all(map(shutil.which, ("chromium", "chromedriver", "npm"))):
        pytest.skip("needs chromium, chromedriver and npm")
    source = tfmeta.data.load(
        "tfds:omniglot", data_dir=real_data / "tfds", split="vinyals"
    )
    return export.save(
        tfmeta.zoo.load("omniglot_maml"),
        tmp_path_factory.mktemp("page"),
        format="web",
        selftest=source.test,
    )


@pytest.fixture(scope="module")
def browser(folder, tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('user')}"):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    driver.set_script_timeout(300)
    driver.set_window_size(1280, 1000)
    yield driver
    driver.quit()


@pytest.fixture
def page(folder, browser):
    """The page, freshly loaded, by the browser that shows it."""
    server = serve(folder)
    browser.get(f"http://127.0.0.1:{server.server_port}/")
    call(browser, "tfmeta.ready.then(() => true)")
    yield browser
    server.shutdown()
    server.server_close()


def call(browser, expression: str, *arguments):
    """What a promise of the page comes to."""
    script = f"const given = arguments, done = given[{len(arguments)}]; {expression}"
    end = ".then(done, (e) => done({failed: String(e)}))"
    answer = browser.execute_async_script(script + end, *arguments)
    assert not (isinstance(answer, dict) and "failed" in answer), answer
    return answer


def test_it_tests_itself_as_accurately_as_python(page, folder) -> None:
    told = call(page, "tfmeta.selftest()")
    kept = json.loads((folder / "episodes.json").read_text())
    model, right = tfmeta.zoo.load("omniglot_maml"), []
    for episode in kept["episodes"]:
        support, query = (
            np.frombuffer(base64.b64decode(episode[part]), np.uint8).reshape(
                -1, 28, 28, 1
            )
            for part in ("support", "query")
        )
        classifier = model.adapt(support, np.array(episode["support_y"]))
        right += (classifier.classify(query) == episode["query_y"]).tolist()
    assert told["episodes"] == len(kept["episodes"]) == EPISODES
    assert abs(told["accuracy"] - np.mean(right)) < 0.002 and told["accuracy"] > 0.9
    assert told["ms"] < 150
    severe = [e for e in page.get_log("browser") if e["level"] == "SEVERE"]
    assert not severe


def test_no_request_leaves_the_page(page) -> None:
    page.get_log("performance")  # Of what the browser itself opens at its start.
    page.refresh()
    call(page, "tfmeta.selftest()")
    home = page.current_url
    asked = [json.loads(e["message"])["message"] for e in page.get_log("performance")]
    urls = {
        m["params"]["request"]["url"]
        for m in asked
        if m["method"] == "Network.requestWillBeSent"
    }
    assert urls and all(url.startswith(home) for url in urls), urls
    blocked = "fetch('http://127.0.0.2:9/').then(() => 'sent', () => 'blocked')"
    assert call(page, blocked) == "blocked"
    said = " ".join(e["message"] for e in page.get_log("browser"))
    assert "Content Security Policy" in said


def pens(archive: pathlib.Path) -> dict[tuple[str, int], list]:
    """The lines of each drawing as shares of the picture, by label and drawer."""
    found = {}
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if not name.endswith(".txt") or "__MACOSX" in name:
                continue
            alphabet, character, drawing = name.split("/")[1:]
            lines: list[list] = [[]]
            for row in file.read(name).decode().split():
                if row == "BREAK":
                    lines.append([])
                elif "," in row:
                    x, y, _ = map(float, row.split(","))
                    lines[-1].append([(x + 0.5) / 105, (0.5 - y) / 105])
            label = f"{alphabet}_{int(character.removeprefix('character')) - 1}"
            drawer = int(drawing.removesuffix(".txt").split("_")[1])
            found[label, drawer] = [line for line in lines if line]
    return found


def pictures(real_data) -> dict[tuple[str, int], np.ndarray]:
    """The same drawings as pictures, `(28, 28, 1)` bytes."""
    from tfmeta.data.lake.drawers import drawers_by_label
    from tfmeta.data.sources.tfds_source import prepared_builder

    builder = prepared_builder("omniglot", real_data / "tfds", download=False)
    drawers = drawers_by_label(builder, "small1")
    names, seen = builder.info.features["label"].names, dict.fromkeys(drawers, 0)
    found = {}
    for row in builder.as_dataset(split="small1").as_numpy_iterator():
        label = names[row["label"]]
        ink = tf.constant(255 - row["image"][..., :1])
        drawer = drawers[label][seen[label]]
        found[label, drawer] = fit_image(ink, size=28, channels=1).numpy()
        seen[label] += 1
    return found


def test_replayed_drawings_are_read_as_in_python(page, real_data) -> None:
    """Drawings of real pens, on the canvas, against the pictures of the same ones."""
    archive = real_data / "omniglot_strokes" / "strokes_background_small1.zip"
    drawn, seen = pens(archive), pictures(real_data)
    labels = sorted({label for label, _ in drawn})
    model, draws = tfmeta.zoo.load("omniglot_maml"), np.random.default_rng(0)
    here, there, times = [], [], []
    for _ in range(EPISODES):
        chosen = draws.choice(labels, 5, replace=False).tolist()
        teacher, asker = (draws.permutation(20)[:2] + 1).tolist()
        truth = int(draws.integers(5))
        told = call(
            page,
            "tfmeta.draw(given[0], given[1], given[2])",
            chosen,
            [drawn[label, teacher] for label in chosen],
            drawn[chosen[truth], asker],
        )
        there.append(int(np.argmax(told["shares"])) == truth)
        times.append(told["ms"])
        support = np.stack([seen[label, teacher] for label in chosen])
        classifier = model.adapt(support, np.arange(5))
        query = seen[chosen[truth], asker][np.newaxis]
        here.append(int(classifier.classify(query)[0]) == truth)
    assert np.mean(there) > 0.9 and abs(np.mean(there) - np.mean(here)) <= 0.04
    assert np.median(times) < 150


def drag(page, canvas, way) -> None:
    """Draws a line with the pointer, through shares of the field."""
    from selenium.webdriver import ActionChains

    size = canvas.size
    at = [((x - 0.5) * size["width"], (y - 0.5) * size["height"]) for x, y in way]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    chain = ActionChains(page, duration=20)
    chain.move_to_element_with_offset(canvas, *map(int, at[0])).click_and_hold()
    for x, y in at[1:]:
        chain.move_to_element_with_offset(canvas, int(x), int(y))
    chain.release().perform()


def text(page, place: str) -> str:
    return page.find_element("css selector", place).text


def waited(page, place: str, part: str) -> str:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 20).until(lambda _: part in text(page, place))
    return text(page, place)


def test_a_visitor_teaches_asks_undoes_and_starts_over(page) -> None:
    assert waited(page, "#learned", "Draw each sign once")
    fields = page.find_elements("css selector", "#classes canvas")
    assert len(fields) == 3
    drag(page, fields[0], [(0.2, 0.2), (0.5, 0.8), (0.8, 0.2)])
    assert waited(page, "#learned", "Draw a second one")
    drag(page, fields[1], [(0.2, 0.5), (0.8, 0.5)])
    assert re.search(
        r"Learned 2 signs from a drawing each in \d+ ms",
        waited(page, "#learned", "Learned 2"),
    )
    name = page.find_element("css selector", "#classes input")
    name.clear()
    name.send_keys("Vee")
    query = page.find_element("css selector", "#query canvas")
    drag(page, query, [(0.25, 0.25), (0.5, 0.75), (0.75, 0.3)])
    assert waited(page, "#answer", "That is") == "That is Vee."
    assert "Vee" in text(page, "#bars li.first")
    page.find_element("id", "add-class").click()
    fields = page.find_elements("css selector", "#classes canvas")
    assert len(fields) == 4
    drag(page, fields[3], [(0.5, 0.1), (0.5, 0.9)])
    assert "3 signs" in waited(page, "#learned", "Learned 3")
    page.find_element("css selector", ".class:nth-child(4) .back").click()
    assert "2 signs" in waited(page, "#learned", "Learned 2")
    page.find_element("id", "undo").click()
    assert text(page, "#answer") == ""
    page.find_element("id", "reset").click()
    assert waited(page, "#learned", "Draw each sign once")
    assert page.find_element("css selector", "#classes input").get_property(
        "value"
    ) == ("A")


def test_it_is_used_with_the_keyboard(page) -> None:
    from selenium.webdriver.common.keys import Keys

    fields = page.find_elements("css selector", "#classes canvas")
    right, down = Keys.ARROW_RIGHT * 8, Keys.ARROW_DOWN * 8
    fields[0].send_keys(" " + right + " ")
    fields[1].send_keys(" " + down + " ")
    assert waited(page, "#learned", "Learned 2")
    query = page.find_element("css selector", "#query canvas")
    query.send_keys(" " + right + " ")
    assert waited(page, "#answer", "That is") == "That is A."
    query.send_keys("z")
    assert text(page, "#answer") == ""
    reached = set()
    for _ in range(30):
        page.switch_to.active_element.send_keys(Keys.TAB)
        active = page.switch_to.active_element
        reached.add(active.get_attribute("id") or active.get_attribute("class"))
    assert {"add-class", "reset", "undo", "clear", "more", "back"} <= reached


def test_everything_has_a_name_and_it_fits_three_widths(page) -> None:
    unnamed = page.execute_script(
        "return [...document.querySelectorAll('button, input, canvas')].filter((e) =>"
        " !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).length"
    )
    assert unnamed == 0
    for width in (360, 800, 1400):
        sizes = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
        wide, shown = page.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert wide <= shown == width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_opens_without_a_network(folder, browser) -> None:
    server = serve(folder)
    browser.get(f"http://127.0.0.1:{server.server_port}/")
    call(browser, "tfmeta.ready.then(() => navigator.serviceWorker.ready)")
    call(browser, "tfmeta.selftest()")
    server.shutdown()
    server.server_close()
    browser.refresh()
    assert call(browser, "tfmeta.selftest()")["episodes"] == EPISODES


@pytest.mark.parametrize("theme", [0, 1])
def test_colours_have_contrast(theme) -> None:
    css = (PAGE / "style.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]
    colours = dict(re.findall(r"--([\w-]+): #(\w{6})", block))

    def light(name: str) -> float:
        parts = np.array([int(colours[name][i : i + 2], 16) / 255 for i in (0, 2, 4)])
        linear = np.where(
            parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(a: str, b: str) -> float:
        low, high = sorted((light(a), light(b)))
        return (high + 0.05) / (low + 0.05)

    assert contrast("line", "card") >= 3  # The border of a field.
    for text_, ground in (
        *(("ink", "card"), ("ink", "ground"), ("soft", "card"), ("soft", "ground")),
        *(("accent", "card"), ("on-accent", "accent"), ("ink", "bar")),
    ):
        assert contrast(text_, ground) >= 4.5, (text_, ground)


def test_the_list_kept_for_offline_use_is_that_of_the_files(folder) -> None:
    kept = re.findall(r'^  "([^"]+)",$', (folder / "offline.js").read_text(), re.M)
    assert all((folder / name).exists() for name in kept)
    written = {p.relative_to(folder).as_posix() for p in folder.rglob("*")}
    served = {n for n in written if re.search(r"\.(js|css|svg|wasm)$", n)}
    assert served - {"offline.js"} <= set(kept)


def test_what_is_no_drawing_is_refused_and_so_is_a_machine_without_npm(
    tmp_path, monkeypatch
) -> None:
    pytest.importorskip("tf2onnx", reason="needs the extra 'device'")
    vectors = learners.ProtoNet(mlp(units=(4,), input_shape=(3,)))
    monkeypatch.setattr(shutil, "which", lambda name: f"/{name}")
    with pytest.raises(ValueError, match="whose examples are drawings"):
        export.save(vectors, tmp_path / "out", format="web")
    with pytest.raises(ValueError, match="selftest is for the format web"):
        export.save(vectors, tmp_path / "out", selftest=tfmeta.data.load("glyphs").test)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="needs npm.*Install Node.js"):
        export.save(vectors, tmp_path / "out", format="web")
    assert not list(tmp_path.iterdir())
