"""report.html in a real browser: no errors, nothing requested, every plot drawn."""

import base64
import html
import json
import os
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from evaluated import scored

from c2f_head_pose.attention.monitor import Reason, State
from c2f_head_pose.evaluation.attention.timeline import Span
from c2f_head_pose.evaluation.evaluate import Evaluated
from c2f_head_pose.evaluation.report.html import write_report
from c2f_head_pose.evaluation.report.worst import Thumbnail
from c2f_head_pose.evaluation.results import recording_record, result_record
from c2f_head_pose.evaluation.series import Series
from c2f_head_pose.evaluation.summary import Scored, summarise

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
FLAGS = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--enable-logging=stderr',
    '--v=0',
    '--virtual-time-budget=5000',
]
PLOTS = (
    'Yaw, pitch, roll and error over time',
    'Angle left over time offset',
    'Error against true angle',
    'Histogram of errors',
    'Calibration of the stated deviation',
    'Detection rate by yaw',
    'Latency by stage',
)


ATTENTION = [
    Span(100.0, 101.0, State.UNKNOWN, Reason.NO_EVIDENCE, 'road_ahead'),
    Span(101.0, 105.0, State.ATTENTIVE, Reason.ROAD, 'road_ahead'),
    Span(105.0, 108.0, State.ATTENTIVE, Reason.GLANCE, 'lap'),
    Span(108.0, 112.0, State.DISTRACTED, Reason.LONG, 'lap'),
    Span(112.0, 119.9, State.ABSENT, Reason.NOBODY, 'unknown'),
]
"""As of `scored()`."""


def report(folder, *recordings, attention=None, **record):
    parts, entries = [], []
    for one, alignment in recordings:
        jpeg = base64.b64encode(cv2.imencode('.jpg', np.full((8, 8, 3), 90, np.uint8))[1].tobytes()).decode()
        parts.append((one, [Thumbnail(9.0, 3, 100.1, '9.0 deg off', jpeg)]))
        entries.append(recording_record(Evaluated(one.name, 'x', one, ('images </script><b>x',), '/truth', alignment, attention=attention)))
    made = (
        result_record(
            ['evaluate_bag'], {'model': 'c2f_edge', 'commit': 'abc'}, entries, summarise([one for one, _ in recordings]), None, []
        )
        | record
    )
    write_report(folder / 'report.html', made, parts)
    return folder / 'report.html'


def browse(page, tmp_path):
    """(drawn part of the document, log) of a page opened in Chromium."""
    if CHROMIUM is None:
        pytest.skip('no Chromium is installed')
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f'--user-data-dir={tmp_path / "profile"}', '--dump-dom', page],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {'HOME': str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.partition('<script')[0], done.stderr


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_the_report_draws_every_plot_without_an_error(tmp_path, theme):
    page = report(tmp_path, scored(), gate=[{'expression': 'a > 1', 'failed': True, 'verdict': 'FAILED'}])
    dom, log = browse(f'file://{page}#{theme}', tmp_path)
    assert 'CONSOLE' not in log, [line for line in log.splitlines() if 'CONSOLE' in line]
    assert f'data-theme="{theme}"' in dom
    plots = dict(re.findall(r'<svg class="plot" role="img" aria-label="([^"]*)"[^>]*>(.*?)</svg>', dom, re.DOTALL))
    assert set(plots) == set(PLOTS)
    assert all(len(re.findall('<(?:path|rect|circle|line)', content)) >= 2 for content in plots.values())
    assert 'NaN' not in dom and 'undefined' not in dom
    assert 'Failed: 1 of 1' in dom and 'images &lt;/script&gt;&lt;b&gt;x' in dom


def test_the_report_draws_what_there_is_without_truth_and_for_several_recordings(tmp_path):
    for recordings in ([scored(truth=False)], [scored(), scored('other', 8.0, seed=1)]):
        dom, log = browse(f'file://{report(tmp_path, *recordings)}', tmp_path)
        assert 'CONSOLE' not in log and '<g class="attention">' not in dom
        assert 'aria-label="Yaw, pitch, roll and error over time"' in dom
        assert ('aria-label="Recording"' in dom) == (len(recordings) > 1)


def test_an_offset_that_was_tried_at_0_alone_leaves_no_plot(tmp_path):
    one, alignment = scored()
    alone = replace(alignment, time_offset_s=0.0, time_offset_std_s=float('nan'), time_offset_found=False, curve=np.array([[0.0, 2.0]]))
    dom, log = browse(f'file://{report(tmp_path, (one, alone))}', tmp_path)
    assert 'CONSOLE' not in log and 'NaN' not in dom
    assert 'the truth has few samples' in dom and 'aria-label="Angle left over time offset"' not in dom


def test_a_report_without_a_single_image_reports_why(tmp_path):
    evaluated = Evaluated('x', 'x', errors=['x does not exist'])
    write_report(tmp_path / 'report.html', result_record([], {}, [recording_record(evaluated)], {}, None, []), [])
    dom, log = browse(f'file://{tmp_path / "report.html"}', tmp_path)
    assert 'CONSOLE' not in log and 'x does not exist' in dom


def test_the_drivers_attention_is_a_strip_above_the_angles_with_a_legend(tmp_path):
    """20 s of states; the sum of each in the legend."""
    dom, log = browse(f'file://{report(tmp_path, scored(), attention=ATTENTION)}', tmp_path)
    assert 'CONSOLE' not in log and 'NaN' not in dom and 'undefined' not in dom
    strip = re.search(r'<g class="attention">(.*?)</g>', dom, re.DOTALL)[1]
    assert re.findall(r'<path class="(\w+)"', strip) == ['attentive', 'distracted', 'absent', 'unknown']
    assert re.findall(r'<text[^>]*>([^<]*)</text>', strip)[0] == 'attention' and 'long distraction' in strip
    assert re.findall(r'</i>(\w+) <span class="soft">([\d.]+) s', dom) == [
        ('attentive', '7.0'),
        ('distracted', '4.0'),
        ('absent', '7.9'),
        ('unknown', '1.0'),
    ]


def test_the_attention_of_a_recording_in_which_nobody_was_found_is_drawn(tmp_path):
    one = scored(seconds=20.0, truth=False)[0]
    nobody = Scored('nobody', Series(one.series.faces[:0], one.series.images), None, 1.0)
    dom, log = browse(f'file://{report(tmp_path, (nobody, None), attention=ATTENTION[-1:])}', tmp_path)
    assert 'CONSOLE' not in log and 'NaN' not in dom and 'undefined' not in dom
    assert '<path class="absent"' in dom


@pytest.fixture
def served(tmp_path):
    """Serves pages by path over HTTP: .pages to fill, .asked to look at, .url."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path in pages else 404)
            self.send_header('Content-Type', 'text/html')
            self.end_headers()
            self.wfile.write(pages.get(self.path, '').encode())

        def log_message(self, *arguments):
            pass

    pages, asked = {}, []
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(pages=pages, asked=asked, url=f'http://127.0.0.1:{server.server_port}')
    server.shutdown()


def test_the_report_loads_no_other_file(tmp_path, served):
    """Served over HTTP, the browser asks for the page alone; and nothing in the file names another place."""
    served.pages['/report'] = report(tmp_path, scored()).read_text()
    _, log = browse(f'{served.url}/report', tmp_path)
    assert served.asked == ['/report'] and 'CONSOLE' not in log
    assert not re.findall(r'https?://|src="(?!data:)|@import|url\((?!data:|#)', served.pages['/report'])


_ON_A_PHONE = """<!DOCTYPE html><title>waiting</title><body><pre id="out"></pre>
<iframe id="phone" src="/report" width="360" height="740"></iframe><script>
document.getElementById('phone').addEventListener('load', () => {
  const page = document.getElementById('phone').contentDocument, said = {};
  const button = text => [...page.querySelectorAll('button')].find(b => b.textContent.includes(text) || b.ariaLabel === text);
  said.width = page.documentElement.scrollWidth;
  const plot = page.querySelector('.timeline'), svg = () => plot.querySelector('svg').innerHTML;
  const whole = svg();
  button('Look closer').click(); said.closer = svg() !== whole;
  button('Look at all').click(); said.whole = svg().split('cursor')[0] === whole.split('cursor')[0];
  button('aligned truth').click(); said.aligned = svg().includes('var(--aligned)');
  const box = plot.getBoundingClientRect();
  plot.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + box.width / 2, clientY: box.top + 40, bubbles: true}));
  said.readout = page.querySelector('.readout').textContent;
  plot.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 10, clientY: box.top + 40, bubbles: true}));
  said.end = page.querySelector('.readout').textContent;
  page.querySelector('.worst button').click(); said.look = svg().split('cursor')[0] !== whole.split('cursor')[0];
  button('Light or dark').click(); said.theme = page.documentElement.dataset.theme;
  const bars = page.querySelector('[aria-label="Histogram of errors"]').parentElement, at = bars.getBoundingClientRect();
  bars.dispatchEvent(new PointerEvent('pointermove', {clientX: at.left + at.width / 3, clientY: at.top + 90, bubbles: true}));
  said.bar = bars.querySelector('.hover').textContent;
  document.getElementById('out').textContent = JSON.stringify(said);
});
</script>"""


def test_the_report_fits_a_phone_and_its_controls_work(tmp_path, served):
    """In a frame 360 pixels wide: nothing sticks out; zoom, layers, values under the pointer, thumbnails and theme answer."""
    served.pages |= {'/report': report(tmp_path, scored(), attention=ATTENTION).read_text(), '/phone': _ON_A_PHONE}
    dom, log = browse(f'{served.url}/phone', tmp_path)
    assert 'CONSOLE' not in log, log
    said = json.loads(html.unescape(re.search('<pre id="out">(.*?)</pre>', dom)[1]))
    assert said['width'] <= 360
    assert said['closer'] and said['whole'] and said['aligned'] and said['look']
    assert re.search(r'distracted: long distraction, lap .*estimate .*truth .*error .*stated', said['readout'])
    assert 'absent: nobody' in said['end']
    assert said['theme'] == 'dark' and 'raw: ' in said['bar']


def test_an_hour_makes_a_report_no_larger_than_a_minute(tmp_path):
    """Series are thinned to 1500 points: the file of 40 minutes is less than twice that of 50 seconds (1500 frames)."""
    sizes = []
    rows = scored(seconds=50.0)[0].series
    for factor in (1, 48):
        faces, images = np.tile(rows.faces, factor), np.tile(rows.images, factor)
        for part in (faces, images):
            part['stamp_s'] += np.repeat(np.arange(factor) * 50.0, len(part) // factor)
        one = Scored('long', Series(faces, images, ('head',), tracks=rows.tracks), None, 1.0)
        sizes.append(report(tmp_path, (one, None)).stat().st_size)
    assert sizes[1] < 2 * sizes[0]
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', (tmp_path / 'report.html').read_text(), re.DOTALL)
    assert len(json.loads(data[1])['recordings'][0]['curves'][0]['t']) <= 1500
