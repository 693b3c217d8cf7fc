"""KuraNetSegmenter: pixels as oscillators that learn to synchronise into segments."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from skkuranet.estimators._clustering import ClusteringBase
from skkuranet.estimators._modes import of_seen_groups
from skkuranet.estimators._unseen import GROUPS, check_parameters
from skkuranet.estimators.segmenter._learning import ImageLearner
from skkuranet.estimators.segmenter._pixels import read_pairs
from skkuranet.grouping.superpixels import SUPERPIXELS
from skkuranet.images.feature_cache import FeatureCache
from skkuranet.images.reading import FEATURES
from skkuranet.metrics import symmetric_best_dice


class KuraNetSegmenter(ImageLearner):
    r"""Segment images by oscillators that learn to synchronise into segments.

    Every pixel is an oscillator. A neural network maps the features of two pixels, colour and
    place, to their coupling; it is trained on small networks of labelled pixels so that,
    whatever the initial phases, the flow

    .. math:: \dot\theta_i = \sum_j K_\mu(x_i, x_j) \sin(\theta_j - \theta_i)

    ends with the pixels of each segment in phase and the segments spread evenly around the circle
    (Ricci et al. 2021, section III.B).

    :meth:`transform` is exact and in closed form: a pixel is driven by a reference network of
    training pixels, and comes to rest at the angle of the field that they exert. :meth:`predict`
    looks at the pulls of the segments in that field, and takes the label of the strongest: where
    two segments pull alike, the angle may be that of a third which lies between them on the circle.
    :meth:`predict_proba` says how sure that is, and :meth:`instances` numbers the objects.
    :meth:`simulate` and :meth:`cluster` run the mutual dynamics of all pixels of an image as one
    network instead.

    Parameters
    ----------
    features : {"rgb_xy", "multiscale"} or callable, default="rgb_xy"
        What the coupling network sees of a pixel besides its ``place``. ``"rgb_xy"``: its
        channels; with column and row, the five features of the paper for a colour image.
        ``"multiscale"``: those of :func:`skimage.feature.multiscale_basic_features`, up to scales
        of 16 pixels, or 4 in volumes. Or a callable from an image of floats (h, w, n_channels) to
        features (h, w, n_features). Those of the last image are kept, up to 256 MiB, so that what
        is asked next of the same image is answered sooner.
    place : {"auto", True, False}, default="auto"
        Whether couplings see column and row. True: of any image, so that what lay at the top of
        the labelled images is looked for at the top of others. ``"auto"``: of the labelled image
        alone. One labelled image is then learned with place and without, where colours or textures
        do not tell its labels apart by themselves; any other image, and what is cut from this one,
        is answered for by ``for_other_images_``, which has no place. Several labelled images are
        learned without. A callable's features are left as they are; with ``n_segments`` place
        tells which pixels are near one another, and is seen in all images.
    spatial_dims : {2, 3}, default=2
        2: images, (row, column) or (row, column, channel). 3: volumes, (plane, row, column) or
        (plane, row, column, channel), with masks (plane, row, column); planes count as far apart as
        rows. A TIFF is a volume if its axes say so (OME, ImageJ), and any other file a volume of
        one plane. Wherever shapes are (h, w), those of volumes are (d, h, w).
    n_segments : int, default=None
        None: a label means the same in all masks, and :meth:`predict` tells which pixels have it.
        A number: labels only say which pixels of an image belong together. What is learned then
        is whether two pixels do, and :meth:`predict` groups those of any image into so many
        segments by the limit of their mutual dynamics; with ``groups="unseen"``, None finds how
        many there are in an image.
    groups : {"seen", "unseen"}, default="seen"
        ``"unseen"``: labels say which pixels of an image belong together, as with ``n_segments``,
        and superpixels are the oscillators. What is seen of the border between two, colour,
        texture and contrast, makes their coupling, and :meth:`predict` and :meth:`cluster` find the
        segments of any image, and how many. It needs many images, such as those of BSDS500. It
        runs on the processor; besides what follows, ``n_segments``, ``hidden_layer_sizes``,
        ``unlabeled``, ``nodata``, ``random_state`` and ``verbose`` count, and all else has to stay
        at its default.
    superpixels : {"both", "slic", "felzenszwalb"}, callable or None, default="both"
        With ``groups="unseen"``, what makes the superpixels: :func:`skimage.segmentation.slic`,
        about 600; :func:`skimage.segmentation.felzenszwalb`, up to 500; both, where segments are
        made of the former, and distances are the mean over both kinds; a callable from colours
        between 0 and 1 (h, w, 3) to their numbers (h, w); or None, where each pixel is one. Images
        of more than half a million pixels are seen at a lower resolution.
    threshold : float or "auto", default="auto"
        With ``groups="unseen"``, the distance 1 - cos, from 0 to 2, below which segments are one.
        ``"auto"`` is what is best for the images of fit.
    bandwidth : "auto" or float, default="auto"
        How fine details of place can be: standard deviation of the angular frequencies of
        the waves through which the coupling network sees column and row, in radians per
        longer side of the image. ``"auto"`` is the finer the shorter the way from any pixel to
        the next labelled one. 0 makes none; without ``place`` there are none, nor does
        ``"auto"`` make any where ``n_segments`` is given.
    feature_noise : "auto" or float, default="auto"
        Standard deviation of the noise that training adds to features, in standard deviations
        of each: how far pixels near a labelled one are taken to be like it. ``"auto"`` is 0.1
        for a hundred scattered labels and five features. It falls with the square root of the
        number of labels, strokes counting for the few scattered pixels that would be as near to all
        others, and grows with that of more features, whose noise averages out; 0 where
        ``n_segments`` is given.
    smoothing : "auto" or float, default="auto"
        Standard deviation, in pixels, of the Gaussian by which the pull on a pixel is averaged
        with that on its neighbours in :meth:`predict` and :meth:`transform`; 0 does not average.
        ``"auto"`` is a tenth of the mean distance to the next labelled pixel, 1 at least; or less,
        down to 0, with less ``guidance``, where labelled pixels would take the label of what is
        around them.
    guidance : "auto" or int, default="auto"
        Radius, in pixels, of windows over which pulls are smoothed further without crossing the
        edges of the image (guided filter, He et al. 2013); 0 leaves it out. ``"auto"`` is 0.6
        times the mean distance to the next labelled pixel.
    coupling : {"factorized", "pairwise"} or torch.nn.Module, default="factorized"
        The coupling network; see :class:`KuraNetClusterer`. Whole images need
        ``"factorized"``, which is linear in the number of pixels.
    hidden_layer_sizes : array-like of int, default=None
        Widths of the hidden layers. None is (64, 64) for each of the four perceptrons of factorised
        couplings, and (128, 128) for pairwise ones and with ``n_segments``.
    rank : int, default=None
        See :class:`KuraNetClusterer`; with ``n_segments`` the length of the vectors whose likeness
        couples pixels, 16 by default.
    normalization : {"auto", "balanced", "in_degree", "none"} or Normalization, default="auto"
        How couplings are made independent of the number of oscillators; see
        :class:`KuraNetClusterer`.
    network_size : int, default=250
        Pixels in each network drawn for training.
    batch_size : int, default=4
        Networks drawn for each iteration.
    max_iter : int, default=800
        Iterations of training at most; its whole schedule scales with it. Where couplings are
        factorised, an eighth of them at the end goes through trajectories, and labels that say as
        much as fewer than a hundred scattered pixels take fewer before.
    learning_rate_init : float, default=1e-2
        Peak learning rate of Adam in closed form; through trajectories it is three tenths of it.
    weight_decay : float, default=0.3
        Decoupled weight decay of the coupling network. Factorised couplings have it for labels that
        say as much as 1,000 pixels here and there; for more it falls in proportion, down to a
        fiftieth, and for fewer it grows, up to fivefold.
    step_size : float, default=1.0
        Euler step, in units of time.
    n_steps : int, default=60
        Steps of the longest trajectories of training.
    tol : float, default=1e-4
        Trajectories stop early when the loss at the limit is below it. Couplings that do not learn
        in closed form must be so in eight checks, ``max(25, max_iter // 16)`` iterations apart (25
        with ``n_segments``). 0 never stops early.
    n_init : int, default=1
        Number of networks trained; the best is kept.
    n_jobs : int, default=None
        Number of jobs for ``n_init``. It does not change results.
    warm_start : bool, default=False
        Start from the couplings of the last fit, whatever ``coupling``, ``hidden_layer_sizes``,
        ``rank`` and ``bandwidth`` say by now.
    unlabeled : "auto", int, str or None, default="auto"
        Label in masks of pixels whose segment is not known. They take no part in training. None:
        every pixel has a label. ``"auto"`` is

        - -1 in signed whole numbers and in floats;
        - 0 in unsigned whole numbers that come from a file or a PIL image, as painting tools leave
          it where nothing was painted. A warning says how many pixels that is. If all such masks of
          a call have one other label only, as a picture in black and white has, or if 0 is one of
          ``classes_`` already, 0 is a label;
        - nothing in unsigned arrays and in booleans, where 0 is a label like others. A warning
          says so if more than nine tenths of the pixels have it, beside two other labels;
        - the empty string, and None, in strings.

        What is masked, in an array of :mod:`numpy.ma`, is never labelled. In a table, every row has
        a label unless ``unlabeled`` says which value means none; see :class:`KuraNetClusterer`.
    nodata : float, default=None
        Value that stands for no data, such as -9999 or NaN. Pixels that have it in all channels
        (NaN: in any), or that are masked, are not learned from and count in no score; answers for
        them are those for the nearest pixel that has data.
    n_reference : int, default=1000
        Number of training pixels in the reference network, at most; each class has at
        least one.
    memory_budget : int or "auto", default="auto"
        Bytes that stored couplings may take; "auto" is 2**30 on a processor and half of the memory
        of a card.
    precision : {"single", "bfloat16"}, default="single"
        In which pairwise couplings are stored when images are simulated; see
        :class:`KuraNetClusterer`.
    device : str or torch.device, default="auto"
        "auto" uses a CUDA device where there is one. Fitted attributes stay on the CPU.
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, networks and phases.
    verbose : bool, int or None, default=None
        Print the loss every 50 iterations, and how far predictions are. None says how far a fit
        is, every ten seconds from the tenth on; 0 is silent.
    checkpoint : str or path-like, default=None
        File, by the number of its restart, in which fit keeps the state of training. A fit that
        was killed and is called again with the same data, parameters and ``random_state``, a
        number, goes on from there and ends as if nothing had happened; then the file is deleted.
    checkpoint_every : int, default=100
        Iterations between states.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the masks, in their type; with ``n_segments`` numbers from 0. Not there with
        ``groups="unseen"``.
    cluster_centers_ : ndarray of shape (n_classes, 2)
        k-means centres of the reference phasors, in the order of ``classes_``.
    coupling_ : torch.nn.Module
        The trained coupling network, on the CPU.
    normalization_ : Normalization
        The normalisation that it was trained with.
    reference_features_ : ndarray of shape (n_reference, n_features)
        Features of the pixels of the reference network.
    reference_phases_ : ndarray of shape (n_reference,)
        Their phases at the limit, in radians.
    loss_curve_ : list of float
        Training loss of every iteration.
    limit_loss_ : float
        Cluster synchrony loss, from 0 to 1, of training networks at the limit.
    n_iter_ : int
        Number of iterations done.
    grouping_ : ImageGroups
        What makes superpixels alike, and its ``threshold``; with ``groups="unseen"`` alone.
    n_channels_in_ : int
        Number of channels of the images seen in fit.
    place_ : bool
        Whether ``coupling_`` sees column and row.
    for_other_images_ : KuraNetSegmenter or None
        What answers for other images than the labelled one, without place; None if this segmenter
        answers for all.
    smoothing_ : float
        What ``smoothing`` comes to, in pixels; not there where ``n_segments`` is given.
    guidance_ : int
        What ``guidance`` comes to, in pixels; not there where ``n_segments`` is given.

    See Also
    --------
    KuraNetClusterer : The same for rows of a table.
    skimage.future.TrainableSegmenter : A pixel classifier as a segmenter.

    References
    ----------
    M. Ricci et al., "KuraNet: Systems of Coupled Oscillators that Learn to Synchronize",
    arXiv:2105.02838, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet import KuraNetSegmenter
    >>> image = np.zeros((20, 30))
    >>> image[:, 15:] = 1.0
    >>> scribbles = np.full((20, 30), -1)
    >>> scribbles[5, :10], scribbles[5, 20:] = 0, 1
    >>> segmenter = KuraNetSegmenter(max_iter=100, random_state=0).fit(image, scribbles)
    >>> segmenter.predict(image)[0, [0, 29]]
    array([0, 1])
    """

    _parameter_constraints: dict = {
        **ClusteringBase._parameter_constraints,
        "features": [StrOptions(set(FEATURES)), callable],
        "place": [StrOptions({"auto"}), "boolean"],
        "spatial_dims": [Options(Integral, {2, 3})],
        "n_segments": [Interval(Integral, 2, None, closed="left"), None],
        "groups": [StrOptions(GROUPS)],
        "superpixels": [StrOptions(SUPERPIXELS.keys() - {None}), callable, None],
        "threshold": [StrOptions({"auto"}), Interval(Real, 0, 2, closed="both")],
        "bandwidth": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "smoothing": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "guidance": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "feature_noise": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "unlabeled": [Integral, str, None],
        "nodata": [Real, None],
    }

    def __init__(
        self,
        features="rgb_xy",
        *,
        place="auto",
        spatial_dims=2,
        n_segments=None,
        groups="seen",
        superpixels="both",
        threshold="auto",
        bandwidth="auto",
        feature_noise="auto",
        smoothing="auto",
        guidance="auto",
        coupling="factorized",
        hidden_layer_sizes=None,
        rank=None,
        normalization="auto",
        network_size=250,
        batch_size=4,
        max_iter=800,
        learning_rate_init=1e-2,
        weight_decay=0.3,
        step_size=1.0,
        n_steps=60,
        tol=1e-4,
        n_init=1,
        n_jobs=None,
        warm_start=False,
        unlabeled="auto",
        nodata=None,
        n_reference=1000,
        memory_budget="auto",
        precision="single",
        device="auto",
        random_state=None,
        verbose=None,
        checkpoint=None,
        checkpoint_every=100,
    ):
        self.features = features
        self.place = place
        self.spatial_dims = spatial_dims
        self.n_segments = n_segments
        self.groups = groups
        self.superpixels = superpixels
        self.threshold = threshold
        self.bandwidth = bandwidth
        self.feature_noise = feature_noise
        self.smoothing = smoothing
        self.guidance = guidance
        self.coupling = coupling
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rank = rank
        self.normalization = normalization
        self.network_size = network_size
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.step_size = step_size
        self.n_steps = n_steps
        self.tol = tol
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.unlabeled = unlabeled
        self.nodata = nodata
        self.n_reference = n_reference
        self.memory_budget = memory_budget
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, image, mask):
        """Learn couplings under which the pixels of each segment synchronise.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Image to learn from, or several of as many channels; an array (n, h, w, n_channels), or
            (n, h, w) with masks of that shape, is several, too, and so is the path of a folder,
            whose files and those of a folder of masks go together by their names. A generator, a
            folder or a list of paths is read one image after the other, and only labelled pixels
            are kept, 500,000 in all at most; with ``n_segments`` all images are in memory. Whole
            numbers count as fractions of the largest of their type, and floats as they are; the
            units of channels make no difference. Pixels far outside the range of all but .2 % of
            the image at either end are hot, and dimmed. Where all labels are in every image, every
            network of training is drawn from one of them. Pages of a TIFF are read if its axes say
            that they are channels; photographs are turned as their EXIF says.
        mask : array of shape (h, w), PIL image, path, or a list of them
            Label of each pixel, or ``unlabeled``: whole numbers, booleans or strings; or a
            generator of them. Masks may each label a part of the segments. A label means
            the same in all masks, unless ``n_segments`` is given; an image may then be listed with
            several masks.

        Returns
        -------
        KuraNetSegmenter
            The fitted estimator.

        Raises
        ------
        ValueError
            If an image, a mask or a parameter cannot be used, as a file of several pages that
            are no channels; the message says why.
        OSError
            If a file cannot be read.
        FloatingPointError
            If the loss is not finite.

        Warns
        -----
        UserWarning
            If 0 counts as unlabelled, labels are stray pixels or cover less than .01 % of the
            labelled pixels, or EXIF turns an image.
        """
        check_parameters(self)
        n_images, pairs = read_pairs(
            image, mask, self.unlabeled, self.nodata, n_axes=self.spatial_dims
        )
        self._cache = FeatureCache()
        self._next_mode.learn(self, n_images, pairs)
        return self

    def fit_predict(self, image, mask):
        """Fit, and return the labels of all pixels of the images.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Image to learn from, or several.
        mask : array of shape (h, w), PIL image, path, or a list of them
            Label of each pixel, or ``unlabeled``.

        Returns
        -------
        ndarray of shape (h, w), or list of them
            Labels of ``classes_``.
        """
        return self.fit(image, mask).predict(image)

    @of_seen_groups("predict or cluster", fits=True)
    def fit_transform(self, image, mask):
        """Fit, and return the phases at which all pixels of the images lock.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Image to learn from, or several.
        mask : array of shape (h, w), PIL image, path, or a list of them
            Label of each pixel, or ``unlabeled``.

        Returns
        -------
        ndarray of shape (h, w), or list of them
            Phases in (−π, π].
        """
        return self.fit(image, mask).transform(image)

    def score(self, image, mask):
        """Return the mean symmetric best Dice score of the predicted segments.

        Parameters
        ----------
        image : array of shape (h, w) or (h, w, n_channels), PIL image, path, or a list of them
            Images of as many channels as those of fit.
        mask : array of shape (h, w), PIL image, path, or a list of them
            True labels; pixels that are ``unlabeled`` do not count.

        Returns
        -------
        float
            Mean over the images, from 0 to 1; every label counts as a segment.
        """
        check_is_fitted(self)
        scores = [
            symmetric_best_dice(
                _numbered(true.labels[true.known]), _numbered(self.predict(one)[true.known])
            )
            for one, true in self._pairs(image, mask)
        ]
        return float(np.mean(scores))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        # Images are read by pillow and scikit-image.
        tags.array_api_support = False
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags


def _numbered(labels):
    """Labels as numbers, as they may be names."""
    return np.unique(labels, return_inverse=True)[1]
