# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Frames of an explorer as one file of HTML, for readers without a kernel."""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from ..plotting import MapPanel, SpectrumPanel
from ..utils.writing import replacing

__all__ = ["Frame", "write_page"]

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Latents</title>
<style>
body {{ font-family: sans-serif; margin: 1em; color: #222; background: #fff; }}
main {{ display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start; }}
#map {{ position: relative; }}
#map button {{ position: absolute; width: 22px; height: 22px; padding: 0;
  transform: translate(-50%, -50%); border: 3px solid #0072B2; border-radius: 50%;
  background: transparent; cursor: pointer; }}
#map button.chosen {{ border-color: #D55E00; }}
label {{ display: grid; grid-template-columns: 12em 18em 6em; gap: .6em; }}
img {{ max-width: 100%; }}
</style></head><body>
<p>Pick a star on the map; move a slider. Blue lines are the star with one label
changed, all else held. {count} frames, no kernel.</p>
<main><div id="map"><img alt="Map of latents" src="{map}">{buttons}</div>
<div><img id="frame" alt="Spectrum"><div id="sliders"></div></div></main>
<script>
const frames = {frames};
let star = frames[0].row;
function show(frame, slider) {{
  document.getElementById("frame").src = frame.image;
  document.querySelectorAll("#sliders input").forEach(other => {{
    if (other !== slider) other.value = other.dataset.zero;
    other.parentElement.lastChild.textContent = other === slider ? frame.change : "0";
  }});
}}
function choose(row) {{
  star = row;
  document.querySelectorAll("#map button").forEach(
    one => one.classList.toggle("chosen", Number(one.dataset.row) === row));
  const mine = frames.filter(frame => frame.row === row), box =
    document.getElementById("sliders");
  box.replaceChildren();
  for (const name of new Set(mine.map(frame => frame.label))) {{
    const steps = mine.filter(frame => frame.label === name);
    const zero = steps.reduce((best, frame, i) => Math.abs(frame.change) <
      Math.abs(steps[best].change) ? i : best, 0);
    const line = document.createElement("label"), slider =
      document.createElement("input");
    Object.assign(slider, {{type: "range", min: 0, max: steps.length - 1}});
    slider.value = slider.dataset.zero = zero;
    slider.oninput = () => show(steps[slider.value], slider);
    line.append(name, slider, document.createElement("output"));
    box.append(line);
  }}
  show(mine.reduce((best, frame) => Math.abs(frame.change) < Math.abs(best.change)
    ? frame : best), null);
}}
document.querySelectorAll("#map button").forEach(
  one => one.onclick = () => choose(Number(one.dataset.row)));
choose(star);
</script></body></html>
"""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A picture of one star with one label changed.

    Parameters
    ----------
    row : int
        Of the star.
    star, label : str
        What star and slider are called.
    change : float
        By how much the label is changed.
    panel : SpectrumPanel
        Drawn as it is now.
    """

    row: int
    star: str
    label: str
    change: float
    panel: SpectrumPanel
    image: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", _data_url(self.panel))


def write_page(path: Path, panel: MapPanel, frames: list[Frame]) -> Path:
    """Write frames, and the map of which their stars are picked.

    Parameters
    ----------
    path : Path
        File to write.
    panel : MapPanel
        The map.
    frames : list of Frame
        At least one.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is no frame.
    """
    if not frames:
        msg = "a page needs at least one star and one label"
        raise ValueError(msg)
    stars = {frame.row: frame.star for frame in frames}
    picture = _data_url(panel)
    buttons = "".join(
        f'<button data-row="{row}" title="{escape(star)}" style="left:{100 * x:.2f}%;'
        f'top:{100 * (1 - y):.2f}%"></button>'
        for (row, star), (x, y) in zip(
            stars.items(), panel.on_figure(list(stars)), strict=True
        )
    )
    records: list[dict[str, Any]] = [
        {
            "row": frame.row, "label": frame.label, "image": frame.image,
            "change": float(f"{frame.change:.3g}"),
        }
        for frame in frames
    ]  # fmt: skip
    text = _PAGE.format(
        count=len(frames), map=picture, buttons=buttons,
        frames=json.dumps(records).replace("</", "<\\/"),
    )  # fmt: skip
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def _data_url(panel: MapPanel | SpectrumPanel) -> str:
    """Return a panel as a picture within a page."""
    with BytesIO() as picture:
        panel.figure.savefig(picture, format="webp", dpi=80, pil_kwargs={"quality": 75})
        text = b64encode(picture.getvalue()).decode("ascii")
    return f"data:image/webp;base64,{text}"
