"""Declared marks: what counts, and the look-alikes that must not."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from PIL import Image

from wholecloth.errors import AgeDoubt
from wholecloth.intake import trust
from wholecloth.intake.credentials_reader import read_credentials
from wholecloth.model.evidence import (
    Exhibit,
    Failed,
    Inapplicable,
    Observed,
    Outcome,
    SignalInfo,
)
from wholecloth.model.media import ContainerFacts, Digests, Picture
from wholecloth.signals import credentials, generator_text, registry, source_type
from wholecloth.signals.base import ABSENCE, GROUP

SECRET = "xyzzy-prompt-words"
"""Stands where a prompt would; must never come out again."""


def exhibit(list_pem: str | None = None, **facts: Any) -> Exhibit:
    """A grey picture whose container says what the test wants."""
    said = ContainerFacts(format="PNG", width=64, height=64, mode="RGB", **facts)
    grey = np.full((64, 64, 3), 128, np.uint8)
    return Exhibit(Picture(Digests("0" * 64, "0" * 32), grey, said), trust=list_pem)


def seen(outcome: Outcome) -> Observed:
    assert isinstance(outcome, Observed), outcome
    assert SECRET not in outcome.text
    return outcome


def nothing(outcome: Outcome) -> str:
    assert isinstance(outcome, Inapplicable), outcome
    assert SECRET not in outcome.reason
    return outcome.reason


# --- generator records ---------------------------------------------------------------------------


def generator(*text: tuple[str, str], exif: tuple[tuple[str, str], ...] = ()) -> Outcome:
    return generator_text.signal.examine(exhibit(text=text, exif=exif))


SETTINGS = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Model hash: aa11bb22cc"


def webui(extra: str = "", settings: str = SETTINGS) -> str:
    return f"{SECRET}, Denoising strength: 0.5\nNegative prompt: Mask blur: 4\n{settings}{extra}"


@pytest.mark.parametrize(
    ("extra", "edits"),
    [
        (", Version: v1.10.1", False),
        ("", None),
        (", Denoising strength: 0.75", True),
        (", Denoising strength: 0.75, Mask blur: 4", True),
        (", Denoising strength: 0.75, ControlNet 0: canny", True),
        (", Denoising strength: 0", None),
        (", Denoising strength: nan", None),
        (", Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent", False),
        (", Denoising strength: 0.7, First pass size: 0x0", False),
        (', ADetailer model: f.pt, ADetailer prompt: "a, Mask blur: 4", Version: v1.9.0', False),
        (", ADetailer inpaint only masked: True, Denoising strength: 0.4", None),
        (", ADetailer mask blur: 4, ADetailer denoising strength: 0.4, Version: v1.9.0", False),
        (", Hires upscale: 2, Mask blur: 4", False),
        (", ControlNet 0: inpaint_only, Version: v1.9.0", None),
    ],
)
def test_webui_edit_fields_and_their_doubles(extra: str, edits: bool | None) -> None:
    found = seen(generator(("parameters", webui(extra))))
    assert (found.tier, found.supports, found.edits_existing) == ("C", ("P3",), edits)
    assert found.location == "PNG text 'parameters'"
    in_exif = seen(generator(exif=(("UserComment", webui(extra)),)))
    assert in_exif.edits_existing == edits
    assert in_exif.location == "EXIF 'UserComment'"


def test_webui_names_its_branch_and_the_size() -> None:
    assert seen(generator(("parameters", webui(", Version: f2.0.1v1.10.1")))).tool == (
        "Stable Diffusion WebUI Forge"
    )
    assert seen(generator(("parameters", webui(", App: SD.Next")))).tool == "SD.Next"
    other = webui(settings=SETTINGS.replace("64x64", "512x400"))
    assert "512 × 400" in seen(generator(("parameters", other))).text


EMPTY: dict[str, Any] = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64}}
LOAD: dict[str, Any] = {"class_type": "LoadImage", "inputs": {"image": SECRET}}
TEXT: dict[str, Any] = {"class_type": "CLIPTextEncode", "inputs": {"text": SECRET}}
DECODE: dict[str, Any] = {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0]}}
SAVE: dict[str, Any] = {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}}


def sampler(latent: str, denoise: object, positive: str = "6") -> dict[str, Any]:
    inputs = {
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": denoise,
        "positive": [positive, 0],
        "latent_image": [latent, 0],
    }
    return {"class_type": "KSampler", "inputs": inputs}


def node(kind: str, **links: str) -> dict[str, Any]:
    return {"class_type": kind, "inputs": {k: [v, 0] for k, v in links.items()}}


def graph(**nodes: dict[str, Any]) -> str:
    base = {"5": EMPTY, "6": TEXT, "8": DECODE, "9": SAVE, "10": LOAD}
    return json.dumps(base | {k.removeprefix("n"): v for k, v in nodes.items()})


ENCODE = node("VAEEncode", pixels="10")
COMFY = {
    "text to image at .8": (graph(n3=sampler("5", 0.8)), False),
    "image to image": (graph(n3=sampler("12", 0.87), n12=ENCODE), True),
    "full denoise discards the picture": (graph(n3=sampler("12", 1.0), n12=ENCODE), None),
    "denoise unknown": (graph(n3=sampler("12", ["99", 0]), n12=ENCODE), None),
    "inpainting at full denoise": (
        graph(n3=sampler("12", 1.0), n12=node("VAEEncodeForInpaint", pixels="10")),
        True,
    ),
    "noise mask": (
        graph(n3=sampler("13", 1), n13=node("SetLatentNoiseMask", samples="12"), n12=ENCODE),
        True,
    ),
    "upscaling second pass": (
        graph(
            n2=sampler("5", 1.0),
            n4=node("LatentUpscale", samples="2"),
            n3=sampler("4", 0.5),
        ),
        False,
    ),
    "picture as mere reference": (
        graph(n3=sampler("5", 0.5, "11"), n11=node("unCLIPConditioning", clip_vision_output="10")),
        None,
    ),
    "instruction editing": (
        graph(n3=sampler("5", 1.0, "11"), n11=node("TextEncodeQwenImageEdit", image="10")),
        True,
    ),
    "outputs disagree": (
        graph(
            n3=sampler("5", 1.0),
            n12=ENCODE,
            n13=sampler("12", 0.5),
            n14=node("VAEDecode", samples="13"),
            n15=node("SaveImage", images="14"),
        ),
        None,
    ),
    "a preview of the input beside it": (
        graph(n3=sampler("12", 0.5), n12=ENCODE, n20=node("PreviewImage", images="10")),
        True,
    ),
    "a loop": (graph(n3=sampler("12", 0.5), n12=node("VAEEncode", pixels="8")), None),
    "dangling": (graph(n3=sampler("77", 0.5)), None),
}


@pytest.mark.parametrize("name", COMFY)
def test_comfy_follows_pictures_only(name: str) -> None:
    text, edits = COMFY[name]
    found = seen(generator(("prompt", text), ("workflow", "{}")))
    assert (found.tool, found.tier, found.edits_existing) == ("ComfyUI", "C", edits)
    in_exif = seen(generator(exif=(("Make", f"Prompt: {text}"),)))
    assert (in_exif.edits_existing, in_exif.location) == (edits, "EXIF 'Make'")


def test_comfy_without_sampler_is_no_generation() -> None:
    scaled = {"1": LOAD, "2": node("ImageScale", image="1"), "3": node("SaveImage", images="2")}
    assert nothing(generator(("prompt", json.dumps(scaled)))) == ABSENCE


def test_comfy_drawn_graph_alone() -> None:
    drawn = json.dumps({"nodes": [{"type": "KSampler"}], "links": []})
    assert seen(generator(("workflow", drawn))).edits_existing is None
    picked = json.dumps({"nodes": [{"type": "KSamplerSelect"}], "links": []})
    assert nothing(generator(("workflow", picked))) == ABSENCE


NOVEL = {"steps": 28, "sampler": "k_euler", "seed": 1, "prompt": SECRET}
SWARM = {"prompt": SECRET, "model": "m", "seed": 1, "swarm_version": "0.9"}
FOOOCUS = {"prompt": SECRET, "seed": "1", "steps": 30, "base_model": "m", "version": "Fooocus v2.5"}


@pytest.mark.parametrize(
    ("text", "tool", "edits"),
    [
        ([("invokeai_metadata", {"generation_mode": "sdxl_txt2img"})], "InvokeAI", False),
        ([("invokeai_metadata", {"generation_mode": "flux_inpaint"})], "InvokeAI", True),
        ([("invokeai_metadata", {"generation_mode": "img2img"})], "InvokeAI", True),
        ([("invokeai_metadata", {"app_version": "5.0"})], "InvokeAI", None),
        (
            [("invokeai_metadata", {"generation_mode": "flux_txt2img", "ref_images": [{}]})],
            "InvokeAI",
            None,
        ),
        (
            [("sd-metadata", {"app_id": "invoke-ai/InvokeAI", "image": {"type": "img2img"}})],
            "InvokeAI",
            True,
        ),
        ([("Software", "NovelAI"), ("Comment", NOVEL)], "NovelAI", None),
        (
            [("Software", "NovelAI"), ("Comment", NOVEL | {"request_type": "Img2ImgRequest"})],
            "NovelAI",
            True,
        ),
        (
            [
                ("Software", "NovelAI"),
                ("Comment", NOVEL | {"request_type": "VibeTransfer+NativeInfillingRequest"}),
            ],
            "NovelAI",
            True,
        ),
        (
            [
                ("Software", "NovelAI"),
                ("Comment", NOVEL | {"request_type": "PromptGenerateRequest"}),
            ],
            "NovelAI",
            False,
        ),
        ([("parameters", {"sui_image_params": SWARM})], "SwarmUI", None),
        (
            [("parameters", {"sui_image_params": SWARM | {"initimagecreativity": 0.6}})],
            "SwarmUI",
            True,
        ),
        ([("parameters", FOOOCUS), ("fooocus_scheme", "fooocus")], "Fooocus", None),
        ([("parameters", {"software": "RuinedFooocus", "seed": 1})], "RuinedFooocus", None),
    ],
)
def test_json_records(
    text: list[tuple[str, str | dict[str, Any]]], tool: str, edits: bool | None
) -> None:
    chunks = [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in text]
    found = seen(generator(*chunks))
    assert (found.tool, found.tier, found.edits_existing) == (tool, "C", edits)


def test_a_bare_program_name_is_a_weaker_mark() -> None:
    assert seen(generator(("Software", "NovelAI"), ("Comment", "hello"))).tier == "D"


def test_marks_that_contradict_each_other_say_nothing_about_edits() -> None:
    fresh = graph(n3=sampler("5", 1.0))
    found = seen(generator(("parameters", webui(", Denoising strength: 0.5")), ("prompt", fresh)))
    assert found.edits_existing is None
    assert "ComfyUI" in found.text
    assert "WebUI" in found.text


@pytest.mark.parametrize(
    "text",
    [
        [],
        [("Comment", "Created with GIMP")],
        [("Comment", json.dumps(NOVEL)), ("Software", "NovelAI-like")],
        [("Software", "GIMP 2.10"), ("Comment", json.dumps(FOOOCUS))],
        [("Description", webui())],
        [("parameters", "Steps: go left, Sampler: of cheeses, Seed: sunflower")],
        [("parameters", "Steps: 20")],
        [("parameters", "the Steps: 20, Sampler: Euler, Seed: 1")],
        [("prompt", "draw me a sheep with KSampler and LoadImage")],
        [("prompt", json.dumps({"a": 1}))],
        [("prompt", json.dumps({"class_type": "KSampler"}))],
        [("prompt", "[1, 2]")],
        [("workflow", json.dumps({"nodes": 5, "links": []}))],
        [("invokeai_metadata", json.dumps({"seed": 1}))],
        [("parameters", json.dumps({"sui_image_params": 3}))],
    ],
)
def test_text_that_is_no_record(text: list[tuple[str, str]]) -> None:
    assert nothing(generator(*text)) == ABSENCE
    exif = tuple((k, v) for k, v in text if k not in ("parameters", "prompt", "workflow"))
    assert nothing(generator(exif=exif)) == ABSENCE


BOMBS = {
    "nesting": '{"1":' + "[" * 200_000,
    "closed nesting": '{"1":' + "[" * 200_000 + "]" * 200_000 + "}",
    "digits": '{"seed": ' + "9" * 1_000_000 + "}",
    "size": '{"a": "' + "x" * (5 << 20) + '"}',
    "cut": graph(n3=sampler("5", 0.8))[:200],
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("key", ["prompt", "workflow", "parameters", "invokeai_metadata"])
def test_bombs_are_unparseable_records(key: str, bomb: str) -> None:
    reason = nothing(generator((key, BOMBS[bomb])))
    assert "cannot be parsed" in reason
    assert reason.endswith(ABSENCE)
    assert nothing(generator(exif=(("UserComment", BOMBS[bomb]), ("Make", "Prompt: {"))))


def test_oddities_do_not_raise() -> None:
    odd = {"1": {"class_type": "KSampler", "inputs": {"latent_image": [None, 0], "denoise": True}}}
    assert seen(generator(("prompt", json.dumps(odd)))).edits_existing is None
    assert nothing(generator(("prompt", '{"1": NaN}'))) == ABSENCE
    infinite = graph(n3=sampler("12", float("inf")), n12=ENCODE)
    assert seen(generator(("prompt", infinite))).edits_existing is None
    long = "Steps: 20, " + "a" * 60_000 + ":" * 5_000 + "\n" * 500
    assert nothing(generator(("parameters", long)))


# --- digital source type -------------------------------------------------------------------------

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmlns:p="http://ns.adobe.com/photoshop/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:mm="http://ns.adobe.com/xap/1.0/mm/" '
)
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def packet(attributes: str = "", elements: str = "") -> bytes:
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    text = f"{begin}{HEAD}{attributes}>{elements}{TAIL}{' ' * 40}<?xpacket end='w'?>"
    return text.encode() + b"\x00"


def source(xmp: bytes) -> Outcome:
    return source_type.signal.examine(exhibit(xmp=xmp))


@pytest.mark.parametrize(
    ("value", "edits"),
    [
        (IPTC + "trainedAlgorithmicMedia", None),
        (IPTC.replace("http:", "https:") + "trainedAlgorithmicMedia/", None),
        ("digsrctype:trainedAlgorithmicMedia", None),
        ("http://c2pa.org/digitalsourcetype/trainedAlgorithmicData", None),
        (IPTC + "compositeWithTrainedAlgorithmicMedia", True),
        (IPTC + "compositeSynthetic", True),
    ],
)
def test_source_type_in_its_three_forms(value: str, edits: bool | None) -> None:
    for xmp in (
        packet(f'e:DigitalSourceType="{value}"'),
        packet(elements=f"<e:DigitalSourceType>\n {value} </e:DigitalSourceType>"),
        packet(elements=f'<e:DigitalSourceType rdf:resource="{value}"/>'),
    ):
        found = seen(source(xmp))
        assert (found.tier, found.supports, found.edits_existing) == ("D", ("P3",), edits)


@pytest.mark.parametrize(
    "value",
    [
        IPTC + "algorithmicMedia",
        IPTC + "algorithmicallyEnhanced",
        IPTC + "digitalCapture",
        IPTC + "composite",
        IPTC + "dataDrivenMedia",
        IPTC + "notTrainedAlgorithmicMedia",
        IPTC + "trainedAlgorithmicMedia2",
        IPTC + "trainedalgorithmicmedia",
        "http://example.org/trainedAlgorithmicMedia",
        "not " + IPTC + "trainedAlgorithmicMedia",
    ],
)
def test_other_source_types_are_named_and_do_not_count(value: str) -> None:
    reason = nothing(source(packet(f'e:DigitalSourceType="{value}"')))
    assert "not by itself a declaration" in reason
    assert value.removeprefix(IPTC)[:20] in reason


@pytest.mark.parametrize(
    "xmp",
    [
        b"",
        packet(),
        packet(elements=f"<dc:description>{IPTC}trainedAlgorithmicMedia</dc:description>"),
        packet(
            elements="<mm:Ingredients><rdf:Bag><rdf:li><rdf:Description "
            f'e:DigitalSourceType="{IPTC}trainedAlgorithmicMedia"/></rdf:li></rdf:Bag></mm:Ingredients>'
        ),
        packet(f'dc:DigitalSourceType="{IPTC}trainedAlgorithmicMedia"'),
        packet('p:Credit="Not Made with Google AI"'),
        packet('dc:Credit="Made with Google AI"'),
        packet(elements=f"<!-- <e:DigitalSourceType>{IPTC}trainedAlgorithmicMedia -->"),
    ],
)
def test_bait_elsewhere_in_xmp(xmp: bytes) -> None:
    assert nothing(source(xmp)) == ABSENCE


def test_google_credit_and_source_type_are_one_finding() -> None:
    made = seen(source(packet('p:Credit="Made with Google AI"')))
    assert (made.tool, made.edits_existing, made.tier) == ("Google AI", None, "D")
    both = packet(
        f'p:Credit="Edited with Google AI" e:DigitalSourceType="{IPTC}trainedAlgorithmicMedia"'
    )
    assert seen(source(both)).edits_existing is True


def test_conflicting_values_are_both_shown() -> None:
    found = seen(
        source(
            packet(
                f'e:DigitalSourceType="{IPTC}digitalCapture"',
                f"<e:DigitalSourceType>{IPTC}trainedAlgorithmicMedia</e:DigitalSourceType>",
            )
        )
    )
    assert "digitalCapture" in found.text


def test_hostile_xmp_is_not_read() -> None:
    entity = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    body = packet(elements="<dc:title>&a;&b;</dc:title>").decode()
    head, rest = body.split("?>", 1)
    reason = nothing(source(f"{head}?>{entity}{rest}".encode()))
    assert reason == "XMP could not be read: it holds a document type, which is refused"
    for bad in (b"<x:xmpmeta", b"\xff\xfe<\x00", b"<a>&undefined;</a>", b"<?xml encoding='x'?>"):
        assert nothing(source(bad)).startswith("XMP could not be read")
    assert "larger than" in nothing(source(b"<a>" + b" " * (17 << 20) + b"</a>"))
    deep = packet(elements="<dc:a>" * 20_000 + "</dc:a>" * 20_000)
    assert nothing(source(deep))


# --- content credentials: JSON level -------------------------------------------------------------

AI = IPTC + "trainedAlgorithmicMedia"
GOOD = ("claimSignature.validated", "assertion.dataHash.match")


def statuses(label: str, codes: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"code": c, "url": f"self#jumbf=/c2pa/{label}/c2pa.signature"} for c in codes]


def codes(label: str, passed: tuple[str, ...] = (), failed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"success": statuses(label, passed), "failure": statuses(label, failed)}


def manifest(*actions: dict[str, Any], ingredients: tuple[dict[str, Any], ...] = ()) -> Any:
    return {
        "claim_generator_info": [{"name": "drawn", "version": "1"}],
        "ingredients": list(ingredients),
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
        "signature_info": {"common_name": "Leaf", "issuer": "Drawn \u202etest\x1b[31m"},
        "title": SECRET,
    }


def store(manifests: dict[str, Any], active: dict[str, Any], *deltas: dict[str, Any]) -> str:
    results = {
        "activeManifest": active,
        "ingredientDeltas": [{"ingredientAssertionURI": "", "validationDeltas": d} for d in deltas],
    }
    return json.dumps(
        {"active_manifest": "a", "manifests": manifests, "validation_results": results}
    )


def credential(text: str | None, state: str = "read") -> Outcome:
    return credentials.signal.examine(exhibit(c2pa=text, c2pa_state=state))


CREATED = {"action": "c2pa.created", "digitalSourceType": AI}
OPENED = {"action": "c2pa.opened"}
EDITED = {"action": "c2pa.edited", "digitalSourceType": AI}
CONVERTED = {"action": "c2pa.converted"}
COMPOSITE = {
    "action": "c2pa.edited",
    "digitalSourceType": IPTC + "compositeWithTrainedAlgorithmicMedia",
}
PARENT = {"relationship": "parentOf", "active_manifest": "b"}
INPUT = {"relationship": "inputTo"}
PART = {"relationship": "componentOf", "active_manifest": "b"}


@pytest.mark.parametrize(
    ("actions", "ingredients", "edits"),
    [
        ((CREATED,), (), None),
        ((CREATED,), (INPUT,), True),
        ((OPENED, EDITED), (PARENT,), True),
        ((OPENED, EDITED), (INPUT,), True),
        ((OPENED, EDITED), (), None),
        ((EDITED, OPENED), (PARENT,), None),
        ((OPENED, EDITED | {"action": "c2pa.converted"}), (PARENT,), None),
        ((COMPOSITE,), (), True),
        ((CREATED | {"softwareAgent": {"name": "agent"}},), (PART,), None),
    ],
)
def test_when_credentials_say_an_existing_picture_went_in(
    actions: tuple[dict[str, Any], ...], ingredients: tuple[dict[str, Any], ...], edits: bool | None
) -> None:
    text = store({"a": manifest(*actions, ingredients=ingredients)}, codes("a", GOOD))
    found = seen(credential(text))
    assert (found.tier, found.edits_existing, found.verified) == ("B", edits, True)
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text


def test_ai_declared_in_the_wrapped_manifest() -> None:
    trusted = (*GOOD, "signingCredential.trusted")
    both = {"a": manifest(OPENED, CONVERTED, ingredients=(PARENT,)), "b": manifest(CREATED)}
    inner = codes("b", ("claimSignature.validated", "signingCredential.trusted"))
    assert seen(credential(store(both, codes("a", trusted), inner))).tier == "A"
    assert seen(credential(store(both, codes("a", GOOD), inner))).tier == "B"
    unknown = codes("b", ("claimSignature.validated",), ("signingCredential.untrusted",))
    assert seen(credential(store(both, codes("a", trusted), unknown))).tier == "B"
    broken = codes("b", ("claimSignature.validated",), ("assertion.hashedURI.mismatch",))
    assert seen(credential(store(both, codes("a", trusted), broken))).supports == ()


def test_an_edit_in_a_component_is_not_an_edit_of_this_picture() -> None:
    part = {"a": manifest(CONVERTED, ingredients=(PART,)), "b": manifest(COMPOSITE)}
    inner = codes("b", ("claimSignature.validated",))
    assert seen(credential(store(part, codes("a", GOOD), inner))).edits_existing is None


def test_a_manifest_cannot_vouch_for_itself() -> None:
    """Recorded results are written by the signer, so they may claim anything."""
    claim = codes("a", (*GOOD, "signingCredential.trusted"))
    lies = {"relationship": "parentOf", "validation_results": {"activeManifest": claim}}
    text = store({"a": manifest(CREATED, ingredients=(lies,))}, codes("a", GOOD))
    assert seen(credential(text)).tier == "B"
    unread = store({"a": manifest(CREATED, ingredients=(lies,))}, codes("a"))
    assert seen(credential(unread)).supports == ()
    claim = codes("b", ("claimSignature.validated", "signingCredential.trusted"))
    lies = PARENT | {"validation_results": {"activeManifest": claim}}
    both = {"a": manifest(CONVERTED, ingredients=(lies,)), "b": manifest(CREATED)}
    assert seen(credential(store(both, codes("a", GOOD)))).tier == "B"
    listed = codes("a", (*GOOD, "signingCredential.trusted"))
    assert seen(credential(store(both, listed))).tier == "A"  # a listed signer did check it


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        ("assertion.dataHash.mismatch", "re-saved or transplanted"),
        ("claimSignature.mismatch", "Signature: does not verify"),
        ("assertion.hashedURI.mismatch", "manifest itself were changed"),
        ("ingredient.manifest.missing", "manifest itself were changed"),
        ("something.new", "manifest itself were changed"),
    ],
)
def test_broken_credentials_support_nothing(failed: str, words: str) -> None:
    passed = (*GOOD, "signingCredential.trusted")
    for made in (manifest(CREATED), manifest(CONVERTED)):
        found = seen(credential(store({"a": made}, codes("a", passed, (failed,)))))
        assert (found.supports, found.verified, found.edits_existing) == ((), False, None)
        assert words in found.text


@pytest.mark.parametrize("failed", ["signingCredential.expired", "signingCredential.ocsp.revoked"])
def test_bad_certificates_are_never_tier_a(failed: str) -> None:
    passed = (*GOOD, "signingCredential.trusted")
    found = seen(credential(store({"a": manifest(CREATED)}, codes("a", passed, (failed,)))))
    assert found.tier == "B"
    assert failed.rsplit(".", 1)[1] in found.text


def test_the_raw_state_word_is_never_shown() -> None:
    for made in (manifest(CREATED), manifest(CONVERTED)):
        out = credential(store({"a": made}, codes("a", GOOD)))
        shown = out.text if isinstance(out, Observed) else nothing(out)
        assert not {"Valid", "Invalid", "Trusted"} & set(shown.replace(".", " ").split())


def test_credential_states() -> None:
    assert nothing(credential(None, "none")) == ABSENCE
    assert "not fetched" in nothing(credential(None, "remote"))
    assert "not looked for" in nothing(credential(None, "not_read"))
    assert credential(None, "error: Io: cut") == Failed("Io: cut")
    for bad in ("", "[]", "{}", BOMBS["nesting"], BOMBS["digits"], '{"active_manifest": "a"}'):
        assert isinstance(credential(bad), Failed)
    silent = nothing(credential(store({"a": manifest(CONVERTED)}, codes("a", GOOD))))
    assert silent.startswith("Content Credentials present, no AI action declared")


# --- content credentials: signed here ------------------------------------------------------------


class Chain:
    """A certificate authority of our own and one signer under it."""

    def __init__(self, usage: str = "1.3.6.1.5.5.7.3.4") -> None:
        root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name, leaf_name = _name("Drawn root"), _name("Drawn leaf")
        self.root = (
            _certificate(root_name, root_name, root_key.public_key())
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), True)
            .sign(root_key, hashes.SHA256())
        )
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        leaf = (
            _certificate(leaf_name, root_name, leaf_key.public_key())
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(_key_usage(digital_signature=True), True)
            .add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(usage)]), False)
            .add_extension(authority, False)
            .sign(root_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.anchors = self.root.public_bytes(pem).decode()
        self.certificates = leaf.public_bytes(pem) + self.root.public_bytes(pem)
        self.key = leaf_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(
        self, data: bytes, *actions: dict[str, Any], parent: bytes | None = None, relation: str = ""
    ) -> bytes:
        """The JPEG with a manifest of those actions."""
        c2pa = import_module("c2pa")
        info = c2pa.C2paSignerInfo(
            alg=b"es256", sign_cert=self.certificates, private_key=self.key, ta_url=None
        )
        made = {
            "claim_generator_info": [{"name": "drawn-test", "version": "1"}],
            "title": SECRET,
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
        }
        # Signing verifies its own work, so it needs to know the newer key usage as well.
        settings = {"trust": {"trust_config": "1.3.6.1.5.5.7.3.4\n1.3.6.1.4.1.62558.2.1\n"}}
        builder = c2pa.Builder.from_json(json.dumps(made), context=c2pa.Context.from_dict(settings))
        if parent is not None:
            named = {"title": SECRET, "relationship": relation, "instance_id": "i1"}
            builder.add_ingredient(json.dumps(named), "image/jpeg", io.BytesIO(parent))
        out = io.BytesIO()
        builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(data), out)
        return out.getvalue()


def _name(common: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, "Drawn test"), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    )


def _key_usage(**yes: bool) -> x509.KeyUsage:
    names = [
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    ]
    return x509.KeyUsage(**{name: yes.get(name, False) for name in names})


def jpeg(**options: Any) -> bytes:
    """A drawn gradient."""
    ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    out = io.BytesIO()
    Image.fromarray(np.stack([ramp] * 3, -1)).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


def examined(data: bytes, anchors: str, tsa: str = "") -> Outcome:
    text, state = read_credentials(data, "image/jpeg", anchors, tsa)
    return credentials.signal.examine(exhibit(anchors, c2pa=text, c2pa_state=state))


def test_signed_picture_by_what_is_trusted(chain: Chain) -> None:
    signed = chain.sign(jpeg(), CREATED)
    listed = seen(examined(signed, chain.anchors))
    assert (listed.tier, listed.verified, listed.supports) == ("A", True, ("P3",))
    for anchors in ("", trust.load().anchors, Chain().anchors):
        found = seen(examined(signed, anchors))
        assert (found.tier, found.verified) == ("B", True)
        assert "anyone can make such a certificate" in found.text
    # An authority for time stamps must not become one for signatures.
    for signers in ("", trust.load().anchors, Chain().anchors):
        assert seen(examined(signed, signers, chain.anchors)).tier == "B"
    for _ in range(12):  # the order of c2pa-rs's lists changes from run to run
        assert seen(examined(signed, chain.anchors, chain.anchors + trust.load().tsa)).tier == "A"


def test_signed_with_the_newer_key_usage() -> None:
    chain = Chain("1.3.6.1.4.1.62558.2.1")
    assert seen(examined(chain.sign(jpeg(), CREATED), chain.anchors)).tier == "A"


def test_one_changed_byte_breaks_it(chain: Chain) -> None:
    signed = bytearray(chain.sign(jpeg(), CREATED))
    signed[-40] ^= 1
    found = seen(examined(bytes(signed), chain.anchors))
    assert (found.supports, found.verified) == ((), False)
    assert "changed after signing" in found.text


def test_transplanted_manifest(chain: Chain) -> None:
    signed, plain = chain.sign(jpeg(), CREATED), jpeg()
    start = signed.index(b"\xff\xeb")  # APP11 segments follow each other directly
    end = start
    while signed[end : end + 2] == b"\xff\xeb":
        end += 2 + int.from_bytes(signed[end + 2 : end + 4], "big")
    found = seen(examined(plain[:2] + signed[start:end] + plain[2:], chain.anchors))
    assert found.supports == ()


def test_signed_wrapper_around_the_generator(chain: Chain) -> None:
    inner = chain.sign(jpeg(), CREATED)
    opened = OPENED | {"parameters": {"ingredientIds": ["i1"]}}
    wrapped = Chain().sign(inner, opened, CONVERTED, parent=inner, relation="parentOf")
    found = seen(examined(wrapped, chain.anchors))
    assert (found.tier, found.edits_existing) == ("B", None)
    assert "ingredient" in found.text
    same = chain.sign(inner, opened, CONVERTED, parent=inner, relation="parentOf")
    assert seen(examined(same, chain.anchors)).tier == "A"


def test_signed_edit_of_an_existing_picture(chain: Chain) -> None:
    opened = OPENED | {"parameters": {"ingredientIds": ["i1"]}}
    edited = chain.sign(jpeg(), opened, EDITED, parent=jpeg(), relation="parentOf")
    assert seen(examined(edited, chain.anchors)).edits_existing is True
    made = chain.sign(jpeg(), CREATED, parent=jpeg(), relation="inputTo")
    assert seen(examined(made, chain.anchors)).edits_existing is True


def test_no_manifest_wrong_type_and_damage(chain: Chain) -> None:
    assert read_credentials(jpeg(), "image/jpeg", "", "") == (None, "none")
    text, state = read_credentials(jpeg(), "image/x-unheard-of", "", "")
    assert text is None
    assert state.startswith(("error: ", "none"))
    assert read_credentials(b"", "image/jpeg", "", "")[0] is None
    signed = chain.sign(jpeg(), CREATED)
    unlisted = examined(signed, "no pem")
    assert isinstance(unlisted, Failed) or seen(unlisted).tier == "B"
    for cut in range(0, len(signed), len(signed) // 16):
        text, state = read_credentials(signed[:cut], "image/jpeg", chain.anchors, "")
        assert state in ("none", "read") or state.startswith("error: ")


def test_no_picture_names_leave_the_worker(chain: Chain) -> None:
    text, state = read_credentials(chain.sign(jpeg(), CREATED), "image/jpeg", "", "")
    assert state == "read"
    assert text is not None
    assert '"thumbnail"' not in text


@pytest.fixture
def canary() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        yield server


def test_a_remote_manifest_is_reported_and_not_fetched(canary: socket.socket) -> None:
    url = f"http://127.0.0.1:{canary.getsockname()[1]}/m.c2pa"
    xmp = packet().replace(
        b'rdf:about=""',
        b'rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="URL"',
    )
    xmp = xmp.replace(b"URL", url.encode())
    got = read_credentials(jpeg(xmp=xmp), "image/jpeg", "", "")
    with pytest.raises(TimeoutError):
        canary.accept()
    assert got == (None, "remote")


def test_shipped_trust_lists() -> None:
    lists = trust.load()
    assert lists.anchors.count("BEGIN CERTIFICATE") == 30
    assert lists.tsa.count("BEGIN CERTIFICATE") == 22
    assert {name for name, _ in lists.sha256s} == {"C2PA-TRUST-LIST.pem", "C2PA-TSA-TRUST-LIST.pem"}
    assert lists.checked == "2026-11-24"


# --- registry ------------------------------------------------------------------------------------

CARD = SignalInfo("probe", "1", "g", ("P3",), "s", "l", "Apache-2.0", "src")


class Probe:
    """A signal that answers, or raises, what it is told to."""

    info = CARD

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def examine(self, exhibit: Exhibit) -> Outcome:
        del exhibit
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


probe = Probe(Inapplicable("n"))


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_ours_load_sorted_and_broken_ones_are_named() -> None:
    here = __name__
    found = registry.from_entry_points(
        [
            point("generator_text", "wholecloth.signals.generator_text:signal"),
            point("digital_source_type", "wholecloth.signals.source_type:signal"),
            point("content_credentials", "wholecloth.signals.credentials:signal"),
            point("absent", "wholecloth.no_such_module:signal"),
            point("odd", "wholecloth.signals.base:ABSENCE"),
            point("renamed", f"{here}:probe"),
            point("probe", f"{here}:probe"),
        ]
    )
    ids = [s.info.id for s in found]
    assert ids == sorted(ids)
    broken = {s.name: s.reason for s in found if isinstance(s, registry.Broken)}
    assert set(broken) == {"absent", "odd", "renamed"}
    assert "ModuleNotFoundError" in broken["absent"]
    findings = registry.run_all(exhibit(), found)
    assert [f.signal.id for f in findings] == ids
    assert sum(isinstance(f.outcome, Failed) for f in findings) == 3


def test_two_packages_with_one_id_are_both_refused() -> None:
    twice = [point("probe", f"{__name__}:probe")] * 2
    (only,) = registry.from_entry_points(twice)
    assert isinstance(only, registry.Broken)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (RecursionError("deep"), "RecursionError"),
        (None, "NoneType"),
        (Observed("t", score=float("nan")), "finite"),
        (Observed("t", log10_lr=float("inf")), "finite"),
    ],
)
def test_a_failing_signal_is_a_finding(answer: Any, words: str) -> None:
    (finding,) = registry.run_all(exhibit(), [Probe(answer)])
    assert isinstance(finding.outcome, Failed)
    assert words in finding.outcome.reason


def test_a_deliberate_stop_is_not_swallowed() -> None:
    with pytest.raises(AgeDoubt):
        registry.run_all(exhibit(), [Probe(AgeDoubt("i", "r"))])
