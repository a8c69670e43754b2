// Builds the page from the data inside it.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const record = data.record, overall = record.overall, page = document.getElementById('page');
  const several = record.recordings.length > 1;

  const stored = (() => { try { return localStorage.getItem('theme'); } catch { return null; } })();
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const theme = name => { document.documentElement.dataset.theme = name; };
  const asked = ['#dark', '#light'].includes(location.hash) ? location.hash.slice(1) : null;
  theme(asked || stored || (dark.matches ? 'dark' : 'light'));
  dark.addEventListener('change', () => theme(dark.matches ? 'dark' : 'light'));

  const add = (parent, html) => { parent.insertAdjacentHTML('beforeend', html); return parent.lastElementChild; };
  const card = (parent, title, note, body = '') => add(parent, `<section class="card"><h2>${title}</h2>${note ? `<p class="note">${note}</p>` : ''}${body}</section>`);
  const interval = name => { const ci = (overall.ci95 || {})[name]; return ci ? `95 % CI ${fixed(ci[0])} – ${fixed(ci[1])}` : ''; };

  const title = record.recordings.map(r => r.name).slice(0, 3).join(', ') + (record.recordings.length > 3 ? ` and ${record.recordings.length - 3} more` : '');
  const environment = record.environment || {};
  add(page, `<header><div><h1>${escapeText(title)}</h1><div class="soft">Head pose evaluation · ${escapeText(environment.model || 'recorded poses')}${environment.commit ? ` · commit <code>${escapeText(environment.commit)}</code>` : ''}</div></div>`
    + '<button id="theme" type="button" aria-label="Light or dark">◐</button></header>');
  document.getElementById('theme').addEventListener('click', () => {
    const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    theme(next);
    try { localStorage.setItem('theme', next); } catch { /* a file may have no storage */ }
  });

  verdict();
  tiles();
  const state = {recording: 0, curve: 0};
  if (data.recordings.length) {
    drawRecording();
    drawErrors();
    drawSystem();
  }
  drawComparison();
  drawRecordings();
  drawEnvironment();

  function verdict() {
    const failed = record.gate.filter(g => g.failed === true), open = record.gate.filter(g => g.failed === null);
    const errors = record.recordings.flatMap(r => r.errors.map(e => (several ? `${r.name}: ` : '') + e));
    const list = lines => lines.length ? `<ul>${lines.map(l => `<li>${escapeText(l)}</li>`).join('')}</ul>` : '';
    if (record.gate.length) {
      const kind = failed.length ? 'bad' : open.length ? 'warn' : 'good';
      const words = failed.length ? `Failed: ${failed.length} of ${record.gate.length} failure conditions ${failed.length === 1 ? 'holds' : 'hold'}` : open.length ? 'Undecided' : 'Passed: no failure condition holds';
      add(page, `<div class="verdict ${kind}"><b>${words}</b>${list(record.gate.map(g => `${g.expression}: ${g.verdict}`))}</div>`);
    }
    if (errors.length) add(page, `<div class="verdict warn"><b>Evaluated in part</b>${list(errors)}</div>`);
    const likelier = record.recordings.filter(r => r.likelier_convention).map(r => `${several ? r.name + ': ' : ''}--truth-axes ${r.likelier_convention.axes} --truth-parent ${r.likelier_convention.parent}`);
    if (likelier.length) add(page, `<div class="verdict warn"><b>The truth fits much better in another convention</b>${list(likelier)}</div>`);
  }

  function tiles() {
    const found = [];
    const tile = (name, value, unit, more) => { if (known(value)) found.push(`<div class="tile"><div class="label">${name}</div><div class="value${String(value).length > 8 ? ' long' : ''}">${value}<small>${unit}</small></div><div class="more">${more || ''}</div></div>`); };
    const raw = overall.geodesic_deg, aligned = overall.aligned && overall.aligned.geodesic_deg;
    if (raw) tile('Error, raw', fixed(raw.mean), '° mean', interval('geodesic_deg.mean') || `median ${fixed(raw.p50)}°`);
    if (aligned) tile('Error, aligned', fixed(aligned.mean), '° mean', interval('aligned.geodesic_deg.mean') || `median ${fixed(aligned.p50)}°`);
    if (raw) tile('Yaw · pitch · roll, raw', ['yaw', 'pitch', 'roll'].map(a => overall[a + '_deg'] ? fixed(overall[a + '_deg'].mae, 1) : '–').join(' · '), '°', `mean absolute; MAE ${fixed(overall.mae_deg)}°`);
    const detection = overall.detection || {};
    if (known(detection.rate)) tile('Heads found', fixed(100 * detection.rate, 1), '%', `${detection.missed} of ${detection.true_heads} missed${known(detection.false_faces) ? `, ${detection.false_faces} false` : ''}, ${detection.id_switches} id switches`);
    else if (overall.images) tile('Images with a face', fixed(100 * overall.images.coverage, 1), '%', `${overall.images.faces} faces, ${overall.images.tracks} tracks`);
    const jitter = overall.jitter_deg || {};
    if (known(jitter.rest)) tile('Jitter at rest', fixed(jitter.rest), '°', `unsmoothed ${fixed(((overall.unsmoothed || {}).jitter_deg || {}).rest)}°; ${jitter.resting_frames} frames`);
    if (known((overall.lag_s || {}).of_smoothing)) tile('Lag of smoothing', fixed(1000 * overall.lag_s.of_smoothing, 0), 'ms', 'where heads move');
    if (overall.agreement_deg) tile('Models differ by', fixed(overall.agreement_deg.mean), '° mean', `95 % below ${fixed(overall.agreement_deg.p95)}°`);
    const total = (overall.latency_ms || {}).total, publish = (overall.latency_ms || {}).publish;
    if (total && overall.images) tile('Time a frame', fixed(total.p50, 1), 'ms', `95 % below ${fixed(total.p95, 1)}; ${fixed(overall.images.times_real_time, 1)} × real time`);
    if (publish) tile('Stamp to pose', fixed(publish.p50, 0), 'ms', `95 % below ${fixed(publish.p95, 0)} ms`);
    if (overall.images) tile('Images', overall.images.n, '', `${fixed(overall.images.duration_s, 1)} s recorded${overall.images.dropped ? `, ${overall.images.dropped} dropped` : ''}${overall.images.unreadable ? `, ${overall.images.unreadable} unreadable` : ''}`);
    if (found.length) add(page, `<div class="tiles">${found.join('')}</div>`);
  }

  function drawRecording() {
    const layers = {estimate: true, truth: true, aligned: false, unsmoothed: false, band: true};
    const section = card(page, 'Over time', 'Angles as published, with twice the stated deviation. Drag to look closer, double click for all; on a phone use + and −.');
    const bar = add(section, '<div class="bar"></div>');
    if (several) {
      const select = add(bar, `<select aria-label="Recording">${data.recordings.map((r, i) => `<option value="${i}">${escapeText(r.name)}</option>`).join('')}</select>`);
      select.addEventListener('change', () => { state.recording = +select.value; state.curve = 0; refresh(); });
    }
    const heads = add(bar, '<select aria-label="Head"></select>');
    heads.addEventListener('change', () => { state.curve = +heads.value; refresh(false); });
    const chips = {};
    for (const [name, text, colour] of [['estimate', 'estimate', 'var(--estimate)'], ['truth', 'truth', 'var(--truth)'], ['aligned', 'aligned truth', 'var(--aligned)'], ['unsmoothed', 'unsmoothed', 'var(--unsmoothed)'], ['band', '± 2 σ', 'var(--estimate)']]) {
      chips[name] = add(bar, `<button type="button" class="chip" aria-pressed="${layers[name]}"><i class="${name === 'band' ? 'area' : ''}" style="background:${colour}"></i>${text}</button>`);
      chips[name].addEventListener('click', () => { layers[name] = !layers[name]; chips[name].setAttribute('aria-pressed', layers[name]); view.redraw(); });
    }
    add(bar, '<span class="space"></span>');
    const control = (text, name, act) => add(bar, `<button type="button" aria-label="${name}">${text}</button>`).addEventListener('click', act);
    control('◀', 'Earlier', () => view.zoom(1, -0.5));
    control('−', 'Look at more', () => view.zoom(2));
    control('+', 'Look closer', () => view.zoom(0.5));
    control('▶', 'Later', () => view.zoom(1, 0.5));
    control('All', 'Look at all', () => view.whole());
    const legend = add(section, '<div class="legend"></div>');
    const holder = add(section, '<div class="timeline zoomable"></div>');
    const readout = add(section, '<div class="readout">Point at the plot for values.</div>');
    const view = timeline(holder, readout, data.recordings[0].duration, layers);
    const thumbs = card(page, 'Worst frames', '');
    const offsets = card(page, 'Truth against estimates', '');
    function refresh(whole = true) {
      const r = data.recordings[state.recording];
      const spans = (record.recordings.find(e => e.name === r.name) || {}).attention || [];
      const nobody = {name: 'nobody', t: [], gap: 0, angles: [], unsmoothed: [], std: []};
      const curve = r.curves[state.curve] || (spans.length ? nobody : null);
      const seconds = name => spans.reduce((sum, s) => sum + (s.state === name ? s.end_s - s.begin_s : 0), 0);
      legend.style.display = spans.length ? '' : 'none';
      legend.innerHTML = '<span class="soft">Attention:</span>' + ATTENTION.map(name => `<span><i style="background:var(--${name})"></i>${name} <span class="soft">${fixed(seconds(name), 1)} s</span></span>`).join('');
      heads.innerHTML = r.curves.map((c, i) => `<option value="${i}" ${i === state.curve ? 'selected' : ''}>${escapeText(c.name)}</option>`).join('');
      heads.style.display = r.curves.length > 1 ? '' : 'none';
      if (whole) view.reset(r.duration);
      section.style.display = curve ? '' : 'none';
      if (curve) {
        for (const name of ['truth', 'aligned']) chips[name].style.display = curve[name] ? '' : 'none';
        view.show(curve, spans);
      }
      drawWorst(thumbs, r);
      drawOffset(offsets, record.recordings.find(e => e.name === r.name));
    }
    function drawWorst(box, r) {
      box.style.display = r.worst.length ? '' : 'none';
      box.innerHTML = `<h2>Worst frames</h2><p class="note">The farthest from the truth as stated (without truth: where models differ most or doubt most), no two within half a second. Press one to see it in the timeline.</p><div class="worst">${
        r.worst.map((w, i) => `<button type="button" data-i="${i}"><img alt="" src="data:image/jpeg;base64,${w.jpeg}"><span><b>${escapeText(w.caption.replace(' deg', '°'))}</b>${fixed(w.t, 2)} s · frame ${w.frame}</span></button>`).join('')}</div>`;
      box.querySelectorAll('button').forEach(b => b.addEventListener('click', () => { view.look(r.worst[+b.dataset.i].t); section.scrollIntoView({behavior: 'smooth', block: 'start'}); }));
    }
    refresh();
  }

  function drawOffset(box, entry) {
    const a = entry && entry.alignment;
    box.style.display = a ? '' : 'none';
    if (!a) return;
    const change = entry.alignment_change;
    box.innerHTML = `<h2>Truth against estimates</h2><p class="note">${escapeText(entry.truth || '')}</p>
      <table><tr><td class="wrap">Time offset of the truth</td><td class="number"><b>${a.time_offset_found ? `${a.time_offset_s >= 0 ? '+' : '−'}${fixed(Math.abs(1000 * a.time_offset_s), 0)}${known(a.time_offset_std_s) ? ` ± ${fixed(1000 * a.time_offset_std_s, 0)}` : ''} ms` : 'unknown, because the head hardly moves or the truth has few samples'}</b></td></tr>
      <tr><td class="wrap">Rotation between the two, on the ${a.side}'s side: the mounting of the truth and the model's own bias, which nothing here tells apart</td><td class="number"><b>${fixed(a.rotation_deg)}°</b></td></tr>
      <tr><td class="wrap">Mean angle left: as stated; aligned</td><td class="number">${fixed(a.residual_raw_deg)}°; ${fixed(a.residuals_deg[a.side])}°</td></tr>
      ${change ? `<tr><td class="wrap">Against the baseline: offset; rotation</td><td class="number"><b>${fixed(1000 * change.time_offset_s, 0)} ms; ${fixed(change.rotation_deg)}°</b></td></tr>` : ''}</table>`;
    if (a.curve.length < 2) return;
    const holder = add(box, '<p class="note" style="margin-top:10px">Angle left over the time offset tried:</p><div></div>');
    const ys = a.curve.map(p => p[1]), low = Math.min(...ys), high = Math.max(...ys);
    plot(holder, 170, (width, height) => {
      const f = frame(width, height, [a.curve[0][0], a.curve[a.curve.length - 1][0]], [Math.max(0, low - 0.15 * (high - low) - 0.05), high], {xLabel: 'offset of the truth, s', yFormat: v => label(v) + '°', top: 14});
      const x = f.sx(a.time_offset_s);
      return f.svg + `<path d="${path(a.curve.map(p => [f.sx(p[0]), f.sy(p[1])]))}" fill="none" stroke="var(--estimate)" stroke-width="1.8"/>`
        + (a.time_offset_found ? `<line x1="${x}" x2="${x}" y1="${f.top}" y2="${f.bottom}" stroke="var(--aligned)" stroke-dasharray="4 3" stroke-width="1.5"/><text x="${x + 5}" y="${f.top + 8}">${fixed(1000 * a.time_offset_s, 0)} ms</text>` : '');
    }, 'Angle left over time offset');
  }

  function drawErrors() {
    if (!overall.geodesic_deg) return;
    const grid = add(page, '<div class="grid" style="margin-bottom:14px"></div>');
    const scatters = data.recordings.filter(r => r.scatter).map(r => r.scatter);
    const pick = {axis: 0, aligned: false};
    const scatterCard = card(grid, 'Error against angle', 'Each dot a frame (a sample), the line the mean by bin.');
    const bar = add(scatterCard, '<div class="bar"></div>');
    ['yaw', 'pitch', 'roll'].forEach((name, k) => {
      const chip = add(bar, `<button type="button" class="chip" aria-pressed="${k === 0}">${name}</button>`);
      chip.addEventListener('click', () => { pick.axis = k; bar.querySelectorAll('.chip:not(.also)').forEach((c, i) => c.setAttribute('aria-pressed', i === k)); redraw(); });
    });
    if (overall.aligned) {
      const chip = add(bar, '<button type="button" class="chip also" aria-pressed="false"><i style="background:var(--aligned)"></i>aligned</button>');
      chip.addEventListener('click', () => { pick.aligned = !pick.aligned; chip.setAttribute('aria-pressed', pick.aligned); redraw(); });
    }
    const holder = add(scatterCard, '<div></div>');
    const points = () => scatters.flatMap(s => s.angles.map((a, i) => [a[pick.axis], ((pick.aligned && s.aligned_error) || s.error)[i]])).filter(p => known(p[0]) && known(p[1]));
    const redraw = plot(holder, 270, (width, height) => {
      const all = points();
      const xs = all.map(p => p[0]), ys = all.map(p => p[1]).sort((a, b) => a - b);
      const low = Math.floor(Math.min(...xs) / 5) * 5, high = Math.ceil(Math.max(...xs) / 5) * 5;
      const f = frame(width, height, [low, Math.max(high, low + 5)], [0, Math.max(2, 1.1 * ys[Math.floor(0.995 * (ys.length - 1))])],
        {xLabel: `true ${['yaw', 'pitch', 'roll'][pick.axis]}`, xTicks: angleTicks(low, high, width / 70), xFormat: v => label(v) + '°', yFormat: v => label(v) + '°', top: 12});
      const inside = all.filter(p => p[1] <= f.height && f.sy(p[1]) >= f.top - 2);
      const count = 12, step = (Math.max(high, low + 5) - low) / count;
      const means = Array.from({length: count}, (_, b) => all.filter(p => p[0] >= low + b * step && p[0] < low + (b + 1) * step)).map((ps, b) => ps.length > 2 ? [f.sx(low + (b + 0.5) * step), f.sy(ps.reduce((s, p) => s + p[1], 0) / ps.length)] : null);
      const colour = pick.aligned ? 'var(--aligned)' : 'var(--estimate)';
      return f.svg + `<g fill="${colour}" opacity=".3">${inside.map(p => `<circle cx="${f.sx(p[0]).toFixed(1)}" cy="${f.sy(p[1]).toFixed(1)}" r="2"/>`).join('')}</g>`
        + `<path d="${path(means)}" fill="none" stroke="${colour}" stroke-width="2.4"/>` + means.filter(Boolean).map(m => `<circle cx="${m[0]}" cy="${m[1]}" r="3.4" fill="${colour}" stroke="var(--card)" stroke-width="1.4"/>`).join('');
    }, 'Error against true angle');

    const histograms = data.recordings.map(r => r.histograms).filter(h => h.edges);
    const top = Math.max(...histograms.map(h => h.edges[h.edges.length - 1]));
    const edges = Array.from({length: 51}, (_, i) => Math.round(1000 * top * i / 50) / 1000);
    const rebin = name => histograms.reduce((sum, h) => { (h[name] || []).forEach((c, i) => { const middle = (h.edges[i] + h.edges[i + 1]) / 2; sum[Math.min(49, Math.floor(middle / top * 50))] += c; }); return sum; }, new Array(50).fill(0));
    const histogramCard = card(grid, 'Distribution of errors', overall.aligned ? '<span style="color:var(--estimate)">■</span> raw, <span style="color:var(--aligned)">■</span> aligned; angle between estimate and truth. The last bin takes the rest.' : 'Angle between estimate and truth. The last bin takes the rest.');
    const series = [{name: 'raw', counts: rebin('raw'), colour: 'var(--estimate)'}];
    if (overall.aligned) series.push({name: 'aligned', counts: rebin('aligned'), colour: 'var(--aligned)', opacity: 0.6});
    add(histogramCard, '<div class="bar"></div>').remove();
    bars(add(histogramCard, '<div></div>'), 300, {edges, series, xLabel: 'error, degrees', unit: '°', describe: 'Histogram of errors',
      marks: [{value: overall.geodesic_deg.p50, label: `median ${fixed(overall.geodesic_deg.p50, 1)}°`, colour: 'var(--estimate)'}, {value: overall.geodesic_deg.p95, label: `p95 ${fixed(overall.geodesic_deg.p95, 1)}°`, colour: 'var(--bad)'}]});

    if (overall.calibration && overall.calibration.curve.length) calibration(grid);
    const rate = (overall.detection.rate_by_yaw || []).filter(b => b.n > 0);
    if (rate.length) detectionByYaw(grid, rate);
    errorTable();
  }

  function calibration(grid) {
    const sets = [['raw', overall.calibration, 'var(--estimate)'], ['aligned', (overall.aligned || {}).calibration, 'var(--aligned)']].filter(s => s[1]);
    const box = card(grid, 'Is the stated deviation honest?', `Share of errors inside the interval that should hold it. Above the diagonal: too careful; below: too sure. Root mean square of error over σ (1 is right): ${sets.map(s => `<span style="color:${s[2]}">${s[0]} ${fixed(s[1].rms_ratio)}</span>`).join(', ')}.`);
    let f;
    const holder = add(box, '<div></div>');
    plot(holder, width => Math.min(330, Math.max(250, width * 0.62)), (width, height) => {
      f = frame(width, height, [0, 1], [0, 1], {xLabel: 'stated probability', xFormat: v => Math.round(100 * v) + ' %', yFormat: v => Math.round(100 * v) + ' %', left: 48, top: 12, xTicks: [0, 0.25, 0.5, 0.75, 1], yTicks: [0, 0.25, 0.5, 0.75, 1]});
      let svg = f.svg + `<line x1="${f.sx(0)}" y1="${f.sy(0)}" x2="${f.sx(1)}" y2="${f.sy(1)}" stroke="var(--soft)" stroke-dasharray="4 4"/>`;
      for (const [, c, colour] of sets) {
        svg += `<path d="${path([[0, 0], ...c.curve, [1, 1]].map(p => [f.sx(p[0]), f.sy(p[1])]))}" fill="none" stroke="${colour}" stroke-width="2.2"/>`
          + c.curve.map(p => `<circle cx="${f.sx(p[0])}" cy="${f.sy(p[1])}" r="2.4" fill="${colour}"/>`).join('');
      }
      return svg;
    }, 'Calibration of the stated deviation');
    hover(holder, x => {
      const p = Math.round(20 * (x - f.left) / (f.right - f.left)) / 20;
      const rows = sets.map(s => [s[0], (s[1].curve.find(c => Math.abs(c[0] - p) < 1e-6) || [])[1]]).filter(r => known(r[1]));
      return rows.length ? tooltip(x, f.top + 60, f, [`stated ${Math.round(100 * p)} %`, ...rows.map(r => `${r[0]}: ${fixed(100 * r[1], 0)} %`)]) : '';
    });
  }

  function detectionByYaw(grid, rate) {
    const box = card(grid, 'Heads found, by yaw', 'Share of true heads with a face, over how far they are turned (beyond 90°: away from the camera).');
    let f;
    const holder = add(box, '<div></div>');
    plot(holder, width => Math.min(330, Math.max(250, width * 0.62)), (width, height) => {
      f = frame(width, height, [rate[0].low, rate[rate.length - 1].high], [0, 1], {xLabel: 'true yaw', xTicks: angleTicks(rate[0].low, rate[rate.length - 1].high, width / 60), xFormat: v => label(v) + '°', yFormat: v => Math.round(100 * v) + ' %', yTicks: [0, 0.25, 0.5, 0.75, 1], left: 48, top: 14});
      return f.svg + rate.map(b => `<rect x="${f.sx(b.low) + 1}" width="${Math.max(1, f.sx(b.high) - f.sx(b.low) - 2)}" y="${f.sy(b.mean)}" height="${f.sy(0) - f.sy(b.mean)}" rx="2" fill="var(--estimate)" opacity=".75"/>`).join('');
    }, 'Detection rate by yaw');
    hover(holder, (x, y) => { const v = rate[0].low + (x - f.left) / (f.right - f.left) * (rate[rate.length - 1].high - rate[0].low); const b = rate.find(r => v >= r.low && v < r.high); return b ? tooltip(x, y, f, [`${b.low}° to ${b.high}°`, `${fixed(100 * b.mean, 1)} % of ${b.n}`]) : ''; });
  }

  function errorTable() {
    const rows = [['raw, smoothed', overall], ['raw, unsmoothed', overall.unsmoothed], ['aligned, smoothed', overall.aligned], ['aligned, unsmoothed', (overall.aligned || {}).unsmoothed]].filter(r => r[1] && r[1].geodesic_deg);
    const axis = (s, a) => s[a + '_deg'] ? `${fixed(s[a + '_deg'].mae)} ± ${fixed(s[a + '_deg'].std)}` : '–';
    card(page, 'Errors in degrees', 'Per axis: mean and standard deviation of the absolute error. Geodesic: angle between the rotations. Raw is against the truth as stated; aligned after the best time offset and mount rotation.',
      `<div class="scroll"><table><tr><th></th><th class="number">yaw</th><th class="number">pitch</th><th class="number">roll</th><th class="number">MAE</th><th class="number">geodesic</th><th class="number">median</th><th class="number">p95</th><th class="number">p99</th><th class="number">quarter right</th></tr>${
        rows.map(([name, s]) => `<tr><td>${name}</td><td class="number">${axis(s, 'yaw')}</td><td class="number">${axis(s, 'pitch')}</td><td class="number">${axis(s, 'roll')}</td><td class="number">${fixed(s.mae_deg)}</td><td class="number"><b>${fixed(s.geodesic_deg.mean)}</b></td><td class="number">${fixed(s.geodesic_deg.p50)}</td><td class="number">${fixed(s.geodesic_deg.p95)}</td><td class="number">${fixed(s.geodesic_deg.p99)}</td><td class="number">${known(s.coarse.beyond_0) ? fixed(100 * s.coarse.beyond_0, 1) + ' %' : '–'}</td></tr>`).join('')}</table></div>`);
  }

  function drawSystem() {
    const stages = Object.keys(overall.latency_ms || {});
    if (!stages.length) return;
    const order = ['detect', 'crop', 'infer', 'decode', 'total', 'publish'].filter(s => stages.includes(s));
    const names = {detect: 'find and follow faces', crop: 'cut', infer: 'network', decode: 'decode, smooth', total: 'whole frame', publish: 'stamp to pose'};
    const box = card(page, 'Time a frame takes', 'Bar: median; whisker: to the 95th percentile; dot: 99th.');
    const holder = add(box, '<div></div>');
    const top = Math.max(...order.map(s => overall.latency_ms[s].p99)) * 1.04;
    plot(holder, 34 * order.length + 34, (width, height) => {
      const left = width < 520 ? 96 : 150;
      const f = frame(width, height, [0, top], [0, order.length], {left, right: 64, top: 4, yTicks: [], xFormat: v => label(v) + ' ms', xLabel: ''});
      return f.svg + order.map((s, i) => {
        const l = overall.latency_ms[s], y = 12 + 34 * i;
        return `<text x="${left - 8}" y="${y + 11}" text-anchor="end">${names[s]}</text><rect x="${left}" y="${y}" width="${Math.max(1, f.sx(l.p50) - left)}" height="15" rx="3" fill="var(--estimate)" opacity="${s === 'total' || s === 'publish' ? 1 : 0.6}"/>`
          + `<line x1="${f.sx(l.p50)}" x2="${f.sx(l.p95)}" y1="${y + 7.5}" y2="${y + 7.5}" stroke="var(--estimate)" stroke-width="2"/><line x1="${f.sx(l.p95)}" x2="${f.sx(l.p95)}" y1="${y + 3}" y2="${y + 12}" stroke="var(--estimate)" stroke-width="2"/><circle cx="${f.sx(l.p99)}" cy="${y + 7.5}" r="2.6" fill="var(--estimate)"/>`
          + `<text class="strong" x="${f.sx(l.p99) + 8}" y="${y + 11}">${fixed(l.p50, 1)} ms</text>`;
      }).join('');
    }, 'Latency by stage');
  }

  function drawComparison() {
    if (!record.comparison) return;
    const order = {worse: 0, better: 1, same: 2};
    const rows = [...record.comparison].sort((a, b) => order[a.verdict] - order[b.verdict] || (a.figure < b.figure ? -1 : 1));
    card(page, 'Against the baseline', `Changes beyond both 95 % confidence intervals count: ${rows.filter(r => r.verdict === 'better').length} better, ${rows.filter(r => r.verdict === 'worse').length} worse.`,
      `<div class="scroll"><table><tr><th>figure</th><th class="number">before</th><th class="number">now</th><th class="number">change</th><th class="number">margin</th><th></th></tr>${
        rows.map(r => `<tr><td>${escapeText(r.figure)}</td><td class="number">${fixed(r.before, 3)}</td><td class="number">${fixed(r.now, 3)}</td><td class="number">${r.now >= r.before ? '+' : '−'}${fixed(Math.abs(r.now - r.before), 3)}</td><td class="number">${fixed(r.margin, 3)}</td><td class="${r.verdict}">${r.verdict}</td></tr>`).join('')}</table></div>`);
  }

  function drawRecordings() {
    if (several) {
      card(page, 'Recordings', '', `<div class="scroll"><table><tr><th>name</th><th class="number">images</th><th class="number">found</th><th class="number">raw</th><th class="number">aligned</th><th class="number">jitter</th><th></th></tr>${
        record.recordings.map(r => { const f = r.figures || {}; return `<tr><td>${escapeText(r.name)}</td><td class="number">${f.images ? f.images.n : 0}</td><td class="number">${f.detection && known(f.detection.rate) ? fixed(100 * f.detection.rate, 1) + ' %' : '–'}</td><td class="number">${f.geodesic_deg ? fixed(f.geodesic_deg.mean) + '°' : '–'}</td><td class="number">${f.aligned ? fixed(f.aligned.geodesic_deg.mean) + '°' : '–'}</td><td class="number">${f.jitter_deg && known(f.jitter_deg.rest) ? fixed(f.jitter_deg.rest) + '°' : '–'}</td><td class="${r.complete ? 'same' : 'worse'}">${r.complete ? '' : 'in part'}</td></tr>`; }).join('')}</table></div>`);
    }
    const lines = record.recordings.flatMap(r => [...r.topics, ...Object.entries(r.notes).map(([note, n]) => n > 1 ? `${note} (${n} times)` : note)].map(l => (several ? `${r.name}: ` : '') + l));
    if (lines.length) card(page, 'What was read', '', `<ul class="plain">${lines.map(l => `<li>${escapeText(l)}</li>`).join('')}</ul>`);
  }

  function drawEnvironment() {
    const names = {package: 'package', commit: 'commit', model: 'model', model_sha256: 'model sha256', depth_model: 'depth model', depth_model_sha256: 'depth model sha256', device: 'device', threads: 'threads a network', python: 'Python', numpy: 'numpy', opencv: 'OpenCV', onnxruntime: 'ONNX Runtime', system: 'system', processor: 'processor', cores: 'cores'};
    card(page, 'How it was made', '', `<div class="scroll"><table>${Object.entries(names).filter(([k]) => known(environment[k])).map(([k, name]) => `<tr><td class="soft">${name}</td><td class="wrap"><code>${escapeText(environment[k])}</code></td></tr>`).join('')}<tr><td class="soft">command</td><td class="wrap"><code>${escapeText(record.command.join(' '))}</code></td></tr></table></div>`);
  }
})();
