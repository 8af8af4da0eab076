"""Data sets that are folders: of people, of images with text files, of FaceSynthetics frames, of landmark patches."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """``identity-folders``, ``identity-list``, ``image-boxes-landmarks``, ``facesynthetics``, ``npts-patches``."""
    yield FormatSpec(
        name="identity-folders",
        summary="One folder a person, with that person's images in it.",
        kinds=("identities",),
        sniff="zoo_folders.sniff:identity_folders",
        reader="zoo_folders.identities:IdentityReader",
        writer="zoo_folders.identities:IdentityWriter",
        read_options="zoo_folders.options:IdentityReadOptions",
        write_options="zoo_folders.options:IdentityWriteOptions",
        holds=("identity", "keys", "images"),
        folder=True,
    )
    yield FormatSpec(
        name="identity-list",
        summary="Images with a label.txt of lines 'path, tab, identity', as arcface_paddle trains on.",
        kinds=("identities",),
        sniff="zoo_folders.sniff:identity_list",
        reader="zoo_folders.identitylist:IdentityListReader",
        holds=("identity", "keys", "images"),
        folder=True,
    )
    yield FormatSpec(
        name="image-boxes-landmarks",
        summary="Images, each with NAME_bbox.txt and NAME_ldmks.txt of 68 points (the Lambda fork of insightface).",
        kinds=("detection", "landmarks"),
        sniff="zoo_folders.sniff:boxes_landmarks",
        reader="zoo_folders.sidecars:SidecarReader",
        writer="zoo_folders.sidecars:SidecarWriter",
        write_options="zoo_folders.options:SidecarWriteOptions",
        holds=("boxes", "landmarks", "keys", "images"),
        folder=True,
    )
    yield FormatSpec(
        name="facesynthetics",
        summary="FaceSynthetics: ID.png with 70 (or 68) points in ID_ldmks.txt, flat or in img/ and ldmks/.",
        kinds=("landmarks",),
        sniff="zoo_folders.sniff:facesynthetics",
        reader="zoo_folders.facesynthetics:FaceSyntheticsReader",
        writer="zoo_folders.facesynthetics:FaceSyntheticsWriter",
        read_options="zoo_folders.options:FaceSyntheticsReadOptions",
        write_options="zoo_folders.options:FaceSyntheticsWriteOptions",
        holds=("landmarks", "masks", "keys", "images"),
        folder=True,
    )
    yield FormatSpec(
        name="npts-patches",
        summary="PNG patches of faces with 68 points as raw doubles in .npts, relative to the patch, and in .cpts.",
        kinds=("landmarks",),
        sniff="zoo_folders.sniff:npts",
        reader="zoo_folders.patches:PatchReader",
        writer="zoo_folders.patches:PatchWriter",
        write_options="zoo_folders.options:PatchWriteOptions",
        holds=("landmarks", "keys", "images"),
        folder=True,
    )
