'use strict';
// Small plots as SVG text. A plot is drawn for its element's width, and again when that changes.

const escapeText = text => String(text).replace(/[&<>"]/g, c => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'}[c]));
const known = value => value !== null && value !== undefined;
const fixed = (value, digits = 2) => known(value) ? Number(value).toFixed(digits) : '–';

function ticks(low, high, count) {
  const span = high - low || 1;
  const raw = span / Math.max(1, count);
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 2.5, 5, 10].map(m => m * power).find(s => s >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * span; k++) found.push(Math.abs(k * step) < 1e-12 ? 0 : k * step);
  return found;
}

function angleTicks(low, high, count) {
  const step = [1, 2, 5, 10, 15, 30, 45, 60, 90].find(s => (high - low) / s <= count) || 180;
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) found.push(v);
  return found;
}

const label = value => String(Math.round(value * 1000) / 1000).replace('-', '−');

// A frame with axes: scales x and y, and the SVG text of grid and labels.
function frame(width, height, x, y, options = {}) {
  const {left = 40, right = 10, top = 8, bottom = 30, xLabel = '', yLabel = '', xTicks, yTicks, yFormat = label, xFormat = label} = options;
  const sx = v => left + (v - x[0]) / (x[1] - x[0] || 1) * (width - left - right);
  const sy = v => height - bottom - (v - y[0]) / (y[1] - y[0] || 1) * (height - top - bottom);
  let svg = '';
  for (const v of yTicks || ticks(y[0], y[1], Math.max(2, Math.floor((height - top - bottom) / 42)))) {
    svg += `<line class="${v === 0 ? 'zero' : 'axis'}" x1="${left}" x2="${width - right}" y1="${sy(v)}" y2="${sy(v)}"/>`
      + `<text x="${left - 7}" y="${sy(v) + 4}" text-anchor="end">${yFormat(v)}</text>`;
  }
  if (bottom > 12) {
    for (const v of xTicks || ticks(x[0], x[1], Math.max(2, Math.floor((width - left - right) / 74)))) {
      svg += `<line class="axis" x1="${sx(v)}" x2="${sx(v)}" y1="${top}" y2="${height - bottom}"/>`
        + `<text x="${sx(v)}" y="${height - bottom + 15}" text-anchor="middle">${xFormat(v)}</text>`;
    }
    if (xLabel) svg += `<text x="${(left + width - right) / 2}" y="${height - 1}" text-anchor="middle">${escapeText(xLabel)}</text>`;
  }
  if (yLabel) svg += `<text class="strong" x="${left}" y="${top - 1}" dy="-3">${escapeText(yLabel)}</text>`;
  return {svg, sx, sy, left, right: width - right, top, bottom: height - bottom, width, height};
}

const draws = [];
// Keeps a plot drawn: draw(width) gives its SVG text; after(element) may add listeners.
function plot(element, height, draw, describe) {
  const redraw = () => {
    const width = Math.max(240, element.clientWidth);
    const tall = typeof height === 'function' ? height(width) : height;
    element.innerHTML = `<svg class="plot" role="img" aria-label="${escapeText(describe)}" viewBox="0 0 ${width} ${tall}" height="${tall}">${draw(width, tall)}</svg>`;
  };
  draws.push(redraw);
  redraw();
  return redraw;
}

function path(points, gap) {
  let d = '', last = null;
  for (const p of points) {
    if (!p || !known(p[1])) { last = null; continue; }
    d += (last === null || (gap && p[2] - last > gap) ? 'M' : 'L') + p[0].toFixed(1) + ' ' + p[1].toFixed(1);
    last = p.length > 2 ? p[2] : 0;
  }
  return d;
}

function tooltip(x, y, f, lines) {
  const wide = 8 + 6.4 * Math.max(...lines.map(l => l.length));
  const left = Math.min(Math.max(f.left, x + 10), f.right - wide);
  const top = Math.max(f.top, y - 14 * lines.length - 12);
  return `<g pointer-events="none"><rect x="${left}" y="${top}" width="${wide}" height="${14 * lines.length + 8}" rx="6" fill="var(--card)" stroke="var(--line)"/>`
    + lines.map((l, i) => `<text class="${i ? '' : 'strong'}" x="${left + 6}" y="${top + 16 + 14 * i}">${escapeText(l)}</text>`).join('') + '</g>';
}

// Gives a plot a value under the pointer: seek(x, y) in SVG coordinates returns SVG text to lay over it.
function hover(element, seek) {
  const show = event => {
    const svg = element.querySelector('svg');
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    let layer = svg.querySelector('.hover');
    if (!layer) { svg.insertAdjacentHTML('beforeend', '<g class="hover" pointer-events="none"></g>'); layer = svg.querySelector('.hover'); }
    layer.innerHTML = seek((event.clientX - box.left) * scale, (event.clientY - box.top) * scale) || '';
  };
  element.addEventListener('pointermove', show);
  element.addEventListener('pointerdown', show);
  element.addEventListener('pointerleave', () => { const layer = element.querySelector('.hover'); if (layer) layer.innerHTML = ''; });
}

function bars(element, height, {edges, series, xLabel, marks = [], unit = '', describe}) {
  const top = Math.max(1, ...series.flatMap(s => s.counts));
  let f;
  plot(element, height, (width, tall) => {
    f = frame(width, tall, [edges[0], edges[edges.length - 1]], [0, top * 1.08], {xLabel, top: 16, yLabel: '', left: 44});
    let svg = f.svg;
    for (const s of series) {
      svg += `<g fill="${s.colour}" opacity="${s.opacity || 0.75}">` + s.counts.map((c, i) => c
        ? `<rect x="${f.sx(edges[i]) + 0.4}" y="${f.sy(c)}" width="${Math.max(0.6, f.sx(edges[i + 1]) - f.sx(edges[i]) - 0.8)}" height="${f.sy(0) - f.sy(c)}" rx="1.5"/>` : '').join('') + '</g>';
    }
    marks.filter(m => known(m.value) && m.value <= edges[edges.length - 1]).forEach((m, i) => {
      svg += `<line x1="${f.sx(m.value)}" x2="${f.sx(m.value)}" y1="${f.top}" y2="${f.bottom}" stroke="${m.colour}" stroke-width="1.5" stroke-dasharray="4 3"/>`
        + (f.sx(m.value) > f.right - 80 ? `<text x="${f.sx(m.value) - 4}" text-anchor="end"` : `<text x="${f.sx(m.value) + 4}"`)
        + ` y="${f.top + 2 + 13 * (i % 3)}">${escapeText(m.label)}</text>`;
    });
    return svg;
  }, describe);
  hover(element, x => {
    const value = edges[0] + (x - f.left) / (f.right - f.left) * (edges[edges.length - 1] - edges[0]);
    const i = edges.findIndex((e, k) => k < edges.length - 1 && value >= e && value < edges[k + 1]);
    if (i < 0) return '';
    return tooltip(x, f.top + 60, f, [`${label(edges[i])} to ${label(edges[i + 1])}${unit}`, ...series.map(s => `${s.name}: ${s.counts[i]}`)]);
  });
}

addEventListener('resize', () => { clearTimeout(window.redrawing); window.redrawing = setTimeout(() => draws.forEach(d => d()), 120); });
