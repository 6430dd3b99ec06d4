"""ComfyUI's graph: which pictures flowed into which samplers.

The API graph (``prompt``) maps node ids to ``class_type`` and ``inputs``; a link is ``[id, slot]``.
Only inputs that carry the picture itself are followed.  A picture that merely conditions the
sampler (CLIP vision, IP-Adapter, a ControlNet hint) lends its look and is not what was edited, and
an upscaling second pass has ``denoise`` below 1 although it starts from an empty latent.
"""

from __future__ import annotations

from collections.abc import Iterator

from wholecloth.signals.generators import Field, Fields, Record
from wholecloth.signals.marks import as_dict, as_list, as_number, as_text, parse_object

Graph = dict[str, dict[str, object]]

_PICTURE_INPUTS = frozenset(
    {
        *("latent_image", "latent", "latents", "samples", "samples_to", "samples_from"),
        *("pixels", "image", "images", "image1", "image2", "destination", "source"),
        *("original_image", "generated_image", "upscaled_image"),
    }
)
_CONDITIONING = frozenset(
    {"positive", "conditioning", "conditioning_1", "conditioning_2", "guider"}
)
_SIGMAS = frozenset({"sigmas"})
_EDIT_MODELS = frozenset(
    {
        "TextEncodeQwenImageEdit",
        "TextEncodeQwenImageEditPlus",
        "InstructPixToPixConditioning",
    }
)
"""Nodes that hand a picture to a model trained to edit it on instruction, at full denoise."""
_MASKED = ("inpaint", "setlatentnoisemask")
_TOOL = "ComfyUI"


def read(fields: Fields) -> Record | None:
    """A record in PNG text ``prompt`` or ``workflow``, or in the EXIF fields used instead."""
    for field, text in _candidates(fields, "prompt"):
        graph = _graph(text)
        if graph and any(_is_sampler(n) for n in graph.values()):
            edits, says = _reading(graph)
            return Record(_TOOL, says, field.location, edits)
    for field, text in _candidates(fields, "workflow"):
        if _is_workflow(text):
            says = "the graph as drawn does not say which pictures went in when this one was made"
            return Record(_TOOL, says, field.location)
    return None


def _candidates(fields: Fields, word: str) -> Iterator[tuple[Field, str]]:
    for field in fields.text(word):
        yield field, field.value
    for field in fields.exif("Make", "Model", "ImageDescription", "UserComment"):
        start, _, rest = field.value.partition(":")
        if start.casefold() == word:
            yield field, rest
        elif field.key == "UserComment":
            holder = parse_object(field.value) or {}
            inner = holder.get(word)
            yield field, inner if isinstance(inner, str) else field.value


def _graph(text: str) -> Graph | None:
    nodes = parse_object(text)
    if not nodes:
        return None
    graph = {key: as_dict(value) for key, value in nodes.items()}
    fits = all(as_text(n.get("class_type")) and "inputs" in n for n in graph.values())
    return graph if fits else None


def _is_workflow(text: str) -> bool:
    drawn = parse_object(text) or {}
    types = [as_text(as_dict(n).get("type")) for n in as_list(drawn.get("nodes"))]
    return "links" in drawn and any("Sampler" in t and t != "KSamplerSelect" for t in types)


def _is_sampler(node: dict[str, object]) -> bool:
    """By what it takes in, so that samplers and detailers of extensions count too."""
    inputs = as_dict(node.get("inputs"))
    return "latent_image" in inputs or {"sampler_name", "scheduler"} <= inputs.keys()


def _reading(graph: Graph) -> tuple[bool | None, str]:
    """One reading for the file; outputs that disagree leave open which of them this file is."""
    linked = {source for node in graph.values() for source in _sources(node, None)}
    ends = [k for k in graph if k not in linked and _sources(graph[k], _PICTURE_INPUTS)]
    saved = [k for k in ends if not as_text(graph[k].get("class_type")).startswith("Preview")]
    readings = {_output(graph, end) for end in saved or ends}
    return _SAYS[readings.pop() if len(readings) == 1 else "unclear"]


_SAYS: dict[str, tuple[bool | None, str]] = {
    "edited": (True, "in its graph a loaded picture flows into the sampler and is changed in part"),
    "fresh": (False, "in its graph every sampler starts from an empty picture and none is loaded"),
    "given": (None, "in its graph a loaded picture takes part, not plainly as what was edited"),
    "unclear": (None, "its graph does not say plainly what the sampler started from"),
}


def _output(graph: Graph, end: str) -> str:
    """What one output node was made from; a key of ``_SAYS``."""
    roots, samplers = _walk(graph, [end])
    pending = set(samplers)
    while pending:
        key = pending.pop()
        found, more = _walk(graph, _sources(graph[key], _PICTURE_INPUTS))
        pending |= more - samplers
        samplers |= more
        roots |= found
        kept = "masked" in found or _partial(graph, graph[key])
        if ("loaded" in found and kept) or _instructed(graph, graph[key]):
            return "edited"
    if "loaded" in roots or _takes_part(graph, end):
        return "given"
    return "fresh" if samplers and roots - {"masked"} == {"empty"} else "unclear"


def _takes_part(graph: Graph, end: str) -> bool:
    """A loaded picture lies upstream by any way at all, for instance as a reference."""
    pending, seen = [end], set[str]()
    while pending:
        key = pending.pop()
        if key not in seen and key in graph:
            seen.add(key)
            if _loads(graph[key]):
                return True
            pending += _sources(graph[key], None)
    return False


def _name(node: dict[str, object]) -> str:
    return as_text(node.get("class_type")).casefold().replace(" ", "").replace("_", "")


def _loads(node: dict[str, object]) -> bool:
    return "loadimage" in _name(node)


def _walk(graph: Graph, start: list[str]) -> tuple[set[str], set[str]]:
    """What lies upstream along picture inputs up to the next samplers, and those samplers."""
    roots: set[str] = set()
    samplers: set[str] = set()
    seen: set[str] = set()
    pending = list(start)
    while pending:
        key = pending.pop()
        if key in seen:
            continue
        seen.add(key)
        node = graph.get(key)
        if node is None:
            roots.add("unknown")
        elif _is_sampler(node):
            samplers.add(key)
        else:
            pending += _step(node, roots)
    return roots, samplers


def _step(node: dict[str, object], roots: set[str]) -> list[str]:
    name = _name(node)
    if _loads(node):
        roots.add("loaded")
        return []
    if "empty" in name and "latent" in name:
        roots.add("empty")
        return []
    if any(word in name for word in _MASKED):
        roots.add("masked")
    onward = _sources(node, _PICTURE_INPUTS)
    if not onward:
        roots.add("unknown")
    return onward


def _sources(node: dict[str, object], names: frozenset[str] | None) -> list[str]:
    """Ids of the nodes linked to the inputs of those names (None = all)."""
    inputs = as_dict(node.get("inputs"))
    links = (as_list(v) for k, v in inputs.items() if names is None or k in names)
    return [str(link[0]) for link in links if len(link) == 2 and isinstance(link[0], str | int)]


def _partial(graph: Graph, sampler: dict[str, object]) -> bool:
    """The sampler, or the scheduler that feeds it, keeps part of what was put in."""
    inputs = as_dict(sampler.get("inputs"))
    holders = [inputs]
    holders += [as_dict(graph[k].get("inputs")) for k in _sources(sampler, _SIGMAS) if k in graph]
    amounts = [as_number(h.get("denoise")) for h in holders]
    return any(a is not None and 0 < a < 1 for a in amounts)


def _instructed(graph: Graph, sampler: dict[str, object]) -> bool:
    """A loaded picture reaches the sampler through an instruction-editing node."""
    pending = _sources(sampler, _CONDITIONING)
    seen: set[str] = set()
    while pending:
        key = pending.pop()
        if key in seen or key not in graph:
            continue
        seen.add(key)
        node = graph[key]
        if as_text(node.get("class_type")) in _EDIT_MODELS:
            inputs = frozenset(_PICTURE_INPUTS | {"image3"})
            if "loaded" in _walk(graph, _sources(node, inputs))[0]:
                return True
        pending += _sources(node, _CONDITIONING)
    return False
