// Angles over time, four panels over one time axis, with a value under the pointer and a window that can be narrowed; above them,
// where it is known, the driver's attention.

const ATTENTION = ['attentive', 'distracted', 'absent', 'unknown'];
const words = name => name.replace(/_/g, ' ');

function timeline(element, readout, duration, layers) {
  const state = {curve: null, attention: null, from: 0, to: duration || 1, at: null, drag: null};
  const names = ['yaw', 'pitch', 'roll'];
  const above = () => state.attention ? 50 : 0;
  const narrow = () => element.clientWidth < 560;
  let frames = [];

  function rangeOf(k) {
    const values = [];
    for (const name of ['angles', 'truth', 'aligned', 'unsmoothed']) {
      if (!state.curve[name] || !layers[name === 'angles' ? 'estimate' : name]) continue;
      state.curve[name].forEach((a, i) => { const t = state.curve.t[i]; if (t >= state.from && t <= state.to && known(a[k])) values.push(a[k]); });
    }
    if (!values.length) return [-10, 10];
    values.sort((a, b) => a - b);
    const cut = Math.floor(values.length * 0.002);
    const low = values[cut], high = values[values.length - 1 - cut];
    const pad = Math.max(4, 0.12 * (high - low));
    return [low - pad, high + pad];
  }

  function visible(i) { const t = state.curve.t[i]; return t >= state.from - 1 && t <= state.to + 1; }

  function line(f, values, k, colour, width, extra = '') {
    const points = [];
    values.forEach((a, i) => { if (visible(i)) points.push([f.sx(state.curve.t[i]), known(k) ? (known(a[k]) ? f.sy(a[k]) : null) : (known(a) ? f.sy(a) : null), state.curve.t[i]]); });
    return `<path d="${path(points, state.curve.gap)}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round" ${extra}/>`;
  }

  function band(f, k) {
    let d = '', run = [];
    const flush = () => {
      if (run.length > 1) d += 'M' + run.map(p => `${p[0].toFixed(1)} ${p[1].toFixed(1)}`).join('L') + 'L' + run.reverse().map(p => `${p[0].toFixed(1)} ${p[2].toFixed(1)}`).join('L') + 'Z';
      run = [];
    };
    let last = null;
    state.curve.angles.forEach((a, i) => {
      if (!visible(i) || !known(a[k]) || !known(state.curve.std[i][k])) return flush();
      if (last !== null && state.curve.t[i] - last > state.curve.gap) flush();
      last = state.curve.t[i];
      const two = 2 * state.curve.std[i][k];
      run.push([f.sx(last), f.sy(a[k] + two), f.sy(a[k] - two)]);
    });
    flush();
    return `<path d="${d}" fill="var(--band)"/>`;
  }

  // A strip of states, and in each stretch the longest of its descriptions that it has room for (its state is in its colour). Neighbours of one state are one
  // shape, so that a state that changes often costs no more than what can be seen.
  function strip(width) {
    const left = 42, right = width - 8, top = 20, tall = 24, span = state.to - state.from || 1;
    const sx = t => left + (Math.min(state.to, Math.max(state.from, t)) - state.from) / span * (right - left);
    const seen = state.attention.filter(s => s.end_s >= state.from && s.begin_s <= state.to);
    const shapes = Object.fromEntries(ATTENTION.map(name => [name, '']));
    let edges = '', text = '';
    for (let i = 0; i < seen.length;) {
      let end = i;
      while (end + 1 < seen.length && seen[end + 1].state === seen[i].state) end++;
      const a = sx(seen[i].begin_s), b = sx(seen[end].end_s);
      shapes[seen[i].state] += `M${a.toFixed(1)} ${top}H${b.toFixed(1)}V${top + tall}H${a.toFixed(1)}Z`;
      i = end + 1;
    }
    let edge = -9;
    for (const s of seen) {
      const a = sx(s.begin_s), b = sx(s.end_s);
      if (a > left + 0.5 && a - edge > 2) { edges += `M${a.toFixed(1)} ${top}V${top + tall}`; edge = a; }
      const zone = s.zone === 'unknown' || s.reason === 'road' ? '' : `, ${words(s.zone)}`;
      const said = [words(s.reason) + zone, words(s.reason), s.state].find(t => 6.6 * t.length + 10 < b - a);
      if (said) text += `<text class="strong" x="${a + 6}" y="${top + 17}">${escapeText(said)}</text>`;
    }
    return `<g class="attention"><text class="strong" x="${left}" y="14">attention</text>`
      + ATTENTION.filter(name => shapes[name]).map(name => `<path d="${shapes[name]}" fill="var(--card)"/><path class="${name}" d="${shapes[name]}" fill="var(--${name})" opacity=".38"/>`).join('')
      + `<path d="${edges}" stroke="var(--card)" stroke-width="1.5" fill="none"/>`
      + ATTENTION.filter(name => shapes[name]).map(name => `<path d="${shapes[name].replace(/V[\d.]+/g, `V${top + 4}`)}" fill="var(--${name})"/>`).join('') + `${text}</g>`;
  }

  function draw(width, height) {
    if (!state.curve) return '';
    const hasError = !!(state.curve.error || state.curve.aligned_error);
    const panels = hasError ? 4 : 3, bottom = 32, top = 18;
    const each = (height - bottom - above()) / panels;
    frames = [];
    let svg = `<defs><clipPath id="window"><rect x="42" y="${top - 5}" width="${width - 50}" height="${each - top}"/></clipPath></defs>` + (state.attention ? strip(width) : '');
    for (let p = 0; p < panels; p++) {
      const last = p === panels - 1, angle = p < 3;
      const error = layers.aligned && state.curve.aligned_error || state.curve.error;
      const inside = !angle ? error.filter((e, i) => known(e) && state.curve.t[i] >= state.from && state.curve.t[i] <= state.to) : [];
      const y = angle ? rangeOf(p) : [0, Math.max(2, 1.1 * (inside.length ? [...inside].sort((a, b) => a - b)[Math.floor(0.998 * (inside.length - 1))] : 1))];
      const f = frame(width, each, [state.from, state.to], y, {
        left: 42, right: 8, top, bottom: 8, yLabel: angle ? names[p] : (error === state.curve.aligned_error && error !== state.curve.error ? 'error, aligned' : 'error'),
        yTicks: angle ? angleTicks(y[0], y[1], Math.max(2, each / 34)) : undefined, yFormat: v => label(v) + '°',
      });
      let body = '';
      if (angle) {
        if (layers.band) body += band(f, p);
        if (layers.unsmoothed) body += line(f, state.curve.unsmoothed, p, 'var(--unsmoothed)', 1, 'opacity=".8"');
        if (layers.truth && state.curve.truth) body += line(f, state.curve.truth, p, 'var(--truth)', 1.4, layers.aligned && state.curve.aligned ? 'stroke-dasharray="3 3" opacity=".7"' : '');
        if (layers.aligned && state.curve.aligned) body += line(f, state.curve.aligned, p, 'var(--aligned)', 1.5);
        if (layers.estimate) body += line(f, state.curve.angles, p, 'var(--estimate)', 1.6);
      } else {
        body += line(f, error, null, 'var(--bad)', 1.3);
      }
      svg += `<g transform="translate(0 ${above() + p * each})">${f.svg}<g clip-path="url(#window)">${body}</g></g>`;
      frames.push(f);
      if (last) {
        for (const v of ticks(state.from, state.to, Math.max(2, Math.floor(width / 90)))) {
          svg += `<text x="${f.sx(v)}" y="${height - bottom + 12}" text-anchor="middle">${label(v)} s</text>`;
        }
      }
    }
    svg += '<g class="cursor" pointer-events="none"></g>';
    return svg;
  }

  const redraw = plot(element, () => (narrow() ? 460 : 560) + above(), draw, 'Yaw, pitch, roll and error over time');
  const timeAt = event => {
    const box = element.querySelector('svg').getBoundingClientRect();
    const f = frames[0];
    if (!f) return 0;
    const x = (event.clientX - box.left) * f.width / box.width;
    return Math.min(state.to, Math.max(state.from, state.from + (x - f.left) / (f.right - f.left) * (state.to - state.from)));
  };

  function cursor() {
    const layer = element.querySelector('.cursor');
    if (!layer || !state.curve || !frames.length) return;
    const f = frames[0], height = above() + frames.length * frames[0].height;
    let svg = '';
    if (state.drag !== null && state.at !== null) {
      const a = f.sx(Math.min(state.drag, state.at)), b = f.sx(Math.max(state.drag, state.at));
      svg += `<rect x="${a}" y="0" width="${b - a}" height="${height}" fill="var(--band)"/>`;
    }
    if (state.at === null) { layer.innerHTML = svg; return; }
    let best = 0;
    state.curve.t.forEach((t, i) => { if (Math.abs(t - state.at) < Math.abs(state.curve.t[best] - state.at)) best = i; });
    const at = state.curve.t[best], span = state.attention && state.attention.find(s => state.at >= s.begin_s && state.at <= s.end_s);
    const attention = span ? `<b>${span.state}</b>: ${escapeText(words(span.reason))}${span.zone === 'unknown' ? '' : `, ${escapeText(words(span.zone))}`}` : '';
    // Nobody's face is near: only the attention is known.
    const alone = state.attention && !(Math.abs(at - state.at) <= Math.max(state.curve.gap, 0.01 * (state.to - state.from)));
    const x = f.sx(alone ? state.at : at);
    svg += `<line x1="${x}" x2="${x}" y1="6" y2="${height}" stroke="var(--soft)" stroke-width="1"/>`;
    if (alone) {
      layer.innerHTML = svg;
      readout.innerHTML = `<b>${fixed(state.at, 2)} s</b> ${attention}`;
      return;
    }
    frames.forEach((g, p) => {
      const value = p < 3 ? state.curve.angles[best][p] : (layers.aligned && state.curve.aligned_error || state.curve.error)[best];
      if (known(value)) svg += `<circle cx="${x}" cy="${above() + p * g.height + g.sy(value)}" r="3.2" fill="${p < 3 ? 'var(--estimate)' : 'var(--bad)'}" stroke="var(--card)" stroke-width="1.2"/>`;
    });
    layer.innerHTML = svg;
    const c = state.curve, show = (name, values) => values && values[best] ? `${name} ${values[best].map(v => label(Math.round(v * 10) / 10) + '°').join(', ')}` : '';
    readout.innerHTML = `<b>${fixed(c.t[best], 2)} s</b> ` + [attention, show('estimate', c.angles), show('truth', c.truth), show('aligned truth', c.aligned),
      c.error && known(c.error[best]) ? `error <b>${fixed(c.error[best], 1)}°</b>` : '', c.aligned_error && known(c.aligned_error[best]) ? `aligned <b>${fixed(c.aligned_error[best], 1)}°</b>` : '',
      known(c.std[best][0]) ? `stated σ ${c.std[best].map(v => fixed(v, 1)).join(', ')}` : ''].filter(Boolean).join(' · ');
  }

  element.addEventListener('pointerdown', event => { state.at = timeAt(event); state.drag = event.pointerType === 'mouse' ? state.at : null; cursor(); });
  element.addEventListener('pointermove', event => { state.at = timeAt(event); cursor(); });
  element.addEventListener('pointerup', event => {
    if (state.drag !== null && Math.abs(timeAt(event) - state.drag) > 0.01 * (state.to - state.from)) {
      [state.from, state.to] = [Math.min(state.drag, timeAt(event)), Math.max(state.drag, timeAt(event))];
      redraw();
    }
    state.drag = null; cursor();
  });
  element.addEventListener('pointerleave', () => { state.drag = null; });
  element.addEventListener('dblclick', () => api.whole());

  function zoom(factor, shift = 0) {
    const span = Math.min(duration || 1, Math.max(0.2, (state.to - state.from) * factor));
    const middle = (state.at !== null && factor < 1 ? state.at : (state.from + state.to) / 2) + shift * span;
    state.from = Math.max(0, Math.min((duration || 1) - span, middle - span / 2));
    state.to = state.from + span;
    redraw(); cursor();
  }
  const api = {
    show(curve, attention) { state.curve = curve; state.attention = attention && attention.length ? attention : null; state.at = null; redraw(); },
    redraw() { redraw(); cursor(); },
    zoom,
    whole() { state.from = 0; state.to = duration || 1; redraw(); cursor(); },
    look(t) { const span = Math.min(duration || 1, 6); state.from = Math.max(0, Math.min((duration || 1) - span, t - span / 2)); state.to = state.from + span; state.at = t; redraw(); cursor(); },
    reset(seconds) { duration = seconds; state.from = 0; state.to = seconds || 1; },
  };
  return api;
}
