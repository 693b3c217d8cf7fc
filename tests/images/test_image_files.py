"""Images in files: pages, axes, bits and turned photographs."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from skkuranet import KuraNetSegmenter
from skkuranet.images.masks import read_masks
from skkuranet.images.reading import read_image

RAMP = np.arange(24 * 40).reshape(24, 40)
PAGES = np.stack([RAMP * (k + 1) for k in range(5)]).astype(np.uint16)


@pytest.mark.parametrize(
    ("pages", "options"),
    [
        (PAGES, {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"}),
        (PAGES, {"imagej": True, "metadata": {"axes": "CYX"}}),
        (PAGES[:3], {"photometric": "rgb", "planarconfig": "separate"}),
    ],
)
def test_pages_that_are_channels_are_channels(tmp_path, pages, options):
    path = tmp_path / "channels.tif"
    tifffile.imwrite(path, pages, **options)
    np.testing.assert_array_equal(read_image(path), np.moveaxis(pages, 0, -1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"photometric": "minisblack"}, "has 5 pages"),
        ({"ome": True, "metadata": {"axes": "TYX"}, "photometric": "minisblack"}, "has 5 times"),
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, "has 5 planes of a volume"),
    ],
)
def test_pages_of_a_tiff_are_not_dropped(tmp_path, options, message):
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, PAGES, **options)
    with pytest.raises(ValueError, match=f"image='.*pages.tif' {message}.*np.moveaxis"):
        KuraNetSegmenter(max_iter=2).fit(path, RAMP % 2)
    with pytest.raises(ValueError, match=f"mask='.*pages.tif' {message}"):
        KuraNetSegmenter(max_iter=2).fit(RAMP, path)


def test_a_small_copy_beside_a_picture_is_no_page(tmp_path):
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(PAGES[0], photometric="minisblack")
        file.write(PAGES[0, ::2, ::2], photometric="minisblack", subfiletype=1)
    np.testing.assert_array_equal(read_image(path)[..., 0], PAGES[0])
    with tifffile.TiffWriter(path) as file:
        file.write(PAGES[0], photometric="minisblack")
        file.write(PAGES[0, ::2, ::2], photometric="minisblack")
    with pytest.raises(ValueError, match=r"2 pictures of different shapes.*series=0"):
        read_image(path)


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_frames_of_an_animation_are_not_dropped(tmp_path, ending):
    path = tmp_path / f"moving.{ending}"
    first, second = (Image.fromarray(RAMP.astype(np.uint8) // k) for k in (1, 2))
    first.save(path, save_all=True, append_images=[second])
    with pytest.raises(ValueError, match=r"image='.*moving.* has 2 pages"):
        read_image(path)
    with Image.open(path) as opened:
        with pytest.raises(ValueError, match=r"mask has 2 pages.*image\.copy"):
            read_masks([opened], "auto", ["mask"])
        # What the message advises.
        assert read_image(opened.convert("L")).shape == (24, 40, 1)


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">i2", "i1", "u4", "f4", ">f8"])
def test_a_tiff_keeps_the_bits_that_it_has(tmp_path, dtype):
    path = tmp_path / "bits.tif"
    pixels = (RAMP * 68 - 120 * (np.dtype(dtype).kind == "i")).astype(dtype)
    tifffile.imwrite(path, pixels, byteorder=">" if dtype.startswith(">") else "<")
    found = read_image(path)
    np.testing.assert_array_equal(found[..., 0], pixels)
    assert found.dtype == pixels.dtype.newbyteorder("=")
    colour = np.dstack([RAMP * 60] * 3).astype(np.uint16)
    tifffile.imwrite(path, colour, photometric="rgb")
    np.testing.assert_array_equal(read_image(path), colour)


def test_sixteen_bits_of_either_order_by_pillow(tmp_path):
    path = tmp_path / "order.tif"
    tifffile.imwrite(path, PAGES[4], byteorder=">")
    with Image.open(path) as opened:
        assert opened.mode == "I;16B"
        np.testing.assert_array_equal(read_image(opened)[..., 0], PAGES[4])
    model = KuraNetSegmenter(max_iter=5, random_state=0, verbose=0)
    found = [
        model.fit(image, (RAMP > 400).astype(int)).transform(image)
        for image in (path, PAGES[4], PAGES[4].astype(">u2"))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_taken_as_they_are_shown(tmp_path, orientation):
    image = Image.fromarray(RAMP.astype(np.uint8))
    exif = image.getexif()
    exif[0x0112] = orientation
    shown = np.asarray(ImageOps.exif_transpose(image))
    # Pillow itself turns what it loads of a TIFF; packed ones are read by it alone.
    kinds = [("png", {}), ("webp", {"lossless": True}), ("tif", {"compression": "tiff_lzw"})]
    for ending, options in kinds:
        path = tmp_path / f"photo.{ending}"
        image.save(path, exif=exif, **options)
        turned = []
        np.testing.assert_array_equal(read_image(path, turned=turned)[..., 0], shown)
        with Image.open(path) as opened:
            np.testing.assert_array_equal(read_image(opened, turned=turned)[..., 0], shown)
        assert turned == ["image"] * 2 * (orientation > 1)
    image.save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path, turned=turned)[..., 0], shown)


def test_turned_photographs_are_told_of_once_a_call(tmp_path):
    path = tmp_path / "photo.png"
    image = Image.fromarray((RAMP > 480).astype(np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    with Image.open(path) as opened:
        mask = np.asarray(ImageOps.exif_transpose(opened)).astype(int)
    assert mask.shape == (40, 24)
    model = KuraNetSegmenter(max_iter=20, random_state=0, verbose=0)
    with pytest.warns(UserWarning, match=r"EXIF turns \[image\[0\], image\[1\]\]") as told:
        model.fit([path, path], [mask, mask])
    assert len(told) == 1
    with pytest.warns(UserWarning, match="EXIF turns image:.*exif_transpose") as told:
        assert model.predict(path).shape == mask.shape
    assert len(told) == 1


def test_files_that_are_programs_are_not_run(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(OSError, match="not an image that Pillow can read"):
        read_image(path)


# Pillow warns of it, too.
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_a_damaged_tiff_is_named(tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, PAGES[0])
    whole = path.read_bytes()
    for length in (6, 100, len(whole) - 100):
        path.write_bytes(whole[:length])
        with pytest.raises(OSError, match=r"cut\.tif"):
            read_image(path)


def folders(tmp_path, names=("a", "b"), mask_names=("a_mask", "b_mask")):
    """Two folders: images of two halves, and masks."""
    mask = np.repeat((1, 2), 8)[None].repeat(12, axis=0).astype(np.uint8)
    for folder, stems in (("images", names), ("masks", mask_names)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "notes.txt").write_text("no image")
        (tmp_path / folder / ".hidden.png").write_bytes(b"no image")
        for stem in stems:
            pixels = mask if folder == "masks" else 80 * mask
            Image.fromarray(pixels).save(tmp_path / folder / f"{stem}.png")
    return tmp_path / "images", str(tmp_path / "masks")


def test_folders_are_read_as_lists_of_their_files(tmp_path):
    images, masks = folders(tmp_path)
    model = KuraNetSegmenter(max_iter=30, random_state=0).fit(images, masks)
    listed = [images / "a.png", images / "b.png"]
    found = model.predict(images)
    assert len(found) == 2
    np.testing.assert_array_equal(found, model.predict(listed))
    assert model.score(images, masks) == 1.0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_folders_that_do_not_go_together_are_refused(tmp_path):
    images, masks = folders(tmp_path, mask_names=("a", "c"))
    with pytest.raises(ValueError, match=r"'b.png' and 'c.png' do not"):
        KuraNetSegmenter().fit(images, masks)
    (images / "b.png").unlink()
    with pytest.raises(ValueError, match="as many masks as images"):
        KuraNetSegmenter().fit(images, masks)
    (images / "a.png").unlink()
    with pytest.raises(ValueError, match="is a folder without images"):
        KuraNetSegmenter().fit(images, masks)
