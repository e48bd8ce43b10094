"""One self-contained HTML page of predictions: counts, what was left out, thumbnails by predicted class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from fewlabels.core.files import write_text
from fewlabels.deployment.new_images import LeftOut
from fewlabels.deployment.thumbnails import ClassSample

#: Files without a prediction that are listed; a table holds them all.
LISTED = 50
# Colours have a contrast of at least 4.5 to 1 on both grounds. No script, and nothing is loaded.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Predictions of {{ images }} images</title>
<style>
:root { --ground: #fff; --ink: #1b1b1b; --soft: #595959; --line: #d0d0d0; --mark: #8a4b00; --bar: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #161616; --ink: #ececec; --soft: #b0b0b0; --line: #444; --mark: #ffb454; --bar: #56b4e9; }
}
body { background: var(--ground); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; margin: 0 auto;
  max-width: 70rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; border-top: 1px solid var(--line); padding-top: .8rem; }
h3 { font-size: 1rem; margin-bottom: .4rem; }
a { color: var(--bar); }
dt { color: var(--soft); } dd { margin: 0 0 .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; }
.counts td, .counts th { white-space: nowrap; }
td.share { min-width: 8rem; }
.bar { background: var(--bar); height: .7rem; min-width: 1px; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; padding: 0; margin: 0; list-style: none; }
.pictures li { width: {{ side }}px; font-size: .8rem; line-height: 1.25; }
.pictures img { width: {{ side }}px; height: {{ side }}px; display: block; border: 3px solid transparent;
  box-sizing: border-box; }
.pictures li.abstains img { border: 3px dashed var(--mark); }
.abstains strong, .note { color: var(--mark); }
.path { color: var(--soft); }
@media (max-width: 500px) { .share { display: none; } }
@media print { body { max-width: none; } .pictures li { break-inside: avoid; } }
</style>
</head>
<body>
<main>
<h1>Predictions of {{ images }} images</h1>
<dl>
{% for name, value in facts.items() %}<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}</dl>
<h2 id="classes">By predicted class</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Table of predicted classes"><table class="counts">
<thead><tr><th scope="col">class</th><th scope="col" class="number">images</th>
<th scope="col" class="number">share</th><th scope="col" class="number">abstained</th>
<td class="share"></td></tr></thead>
<tbody>
{% for name, sample in classes.items() %}<tr>
<td>{% if sample.count %}<a href="#class-{{ loop.index }}">{{ name }}</a>{% else %}{{ name }}{% endif %}</td>
<td class="number">{{ sample.count }}</td>
<td class="number">{{ "%.1f" | format(100 * sample.count / images) }} %</td>
<td class="number">{{ sample.abstained }}</td>
<td class="share"><div class="bar" style="width: {{ "%.1f" | format(100 * sample.count / images) }}%"></div></td>
</tr>
{% endfor %}</tbody></table></div>
{% macro pictures(shown) %}<ul class="pictures">
{% for one in shown %}<li{% if one.abstained %} class="abstains"{% endif %}>
<img src="{{ one.picture }}" alt="{{ one.path }}" loading="lazy">
{{ "%.3f" | format(one.probability) }}{% if one.abstained %} <strong>abstains</strong>{% endif %}
{% if one.label %}<br>labelled {{ one.label }}{% endif %}
{% if one.note %}<br><span class="note">{{ one.note }}</span>{% endif %}
<br><span class="path">{{ one.path }}</span></li>
{% endfor %}</ul>{% endmacro %}
{% for name, sample in classes.items() if sample.count %}
<h2 id="class-{{ positions[name] }}">{{ name }}: {{ sample.count }} images</h2>
{% if sample.drawn() | length == sample.count %}<h3>All, the least sure first</h3>
{{ pictures(sample.least_sure()) }}
{% else %}<h3>The least sure</h3>
{{ pictures(sample.least_sure()) }}
<h3>Drawn at random</h3>
{{ pictures(sample.drawn()) }}
{% endif %}{% endfor %}
{% if left_out %}<h2 id="left-out">Without a prediction: {{ left_out | length }} files</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Table of files without a prediction"><table>
<thead><tr><th scope="col">file</th><th scope="col">reason</th></tr></thead>
<tbody>
{% for one in left_out[:listed] %}<tr><td>{{ one.path }}</td><td>{{ one.reason }}</td></tr>
{% endfor %}</tbody></table></div>
{% if left_out | length > listed %}<p>{{ left_out | length - listed }} more are in the table of what was left out.</p>
{% endif %}{% endif %}</main>
</body>
</html>
"""


def write_page(
    path: Path | str,
    facts: Mapping[str, str],
    classes: Mapping[str, ClassSample],
    left_out: Sequence[LeftOut],
    side: int,
) -> None:
    """Write the page.

    Args:
        facts: shown above all, name -> words.
        classes: in the order of the model's outputs.
        left_out: those to worry about come first.
        side: pixels of the thumbnails.
    """
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    text = page.render(
        images=sum(sample.count for sample in classes.values()),
        facts=facts,
        classes=classes,
        positions={name: place for place, name in enumerate(classes, start=1)},
        left_out=sorted(left_out, key=lambda one: one.harmless),
        listed=LISTED,
        side=side,
    )
    write_text(path, text)
