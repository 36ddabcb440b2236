"""xplique's occlusion of one image, timed: run by ``python -m benchmarks.perturbation --xplique PYTHON``.

Its pins conflict with ours, so it lives in a virtual environment of its own and this file imports nothing of the
project. Both sides explain a network of the same architecture; the weights, random here, do not matter to the time.

    python -m venv XPLIQUE && XPLIQUE/bin/pip install "tensorflow-cpu==2.20.0" && XPLIQUE/bin/pip install \
        "tensorflow-probability==0.25.0" einops deprecated matplotlib "opencv-python-headless<4.13" \
        "scikit-image==0.25.2" "scikit-learn==1.7.2" "scipy==1.15.3" && XPLIQUE/bin/pip install --no-deps \
        "xplique==2.0.2" "tf_keras==2.20.1"

(``xplique`` itself asks for a TensorFlow with CUDA.) Prints for each batch size the patches, which are only those that
lie in the image as a whole, and the seconds of the clock and of the processor.
"""

import argparse
import json
import time

APPLICATIONS = {"inception_v3": "InceptionV3", "mobilenet_v2": "MobileNetV2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", choices=APPLICATIONS, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--patch", type=int, required=True)
    parser.add_argument("--batch", type=int, nargs="+", required=True)
    options = parser.parse_args()

    import keras
    import numpy as np
    from xplique.attributions import Occlusion

    base = getattr(keras.applications, APPLICATIONS[options.backbone])(
        include_top=False, weights=None, input_shape=(options.size, options.size, 3), pooling="avg"
    )
    model = keras.Model(base.input, keras.layers.Dense(options.classes)(base.output))
    image = np.random.default_rng(0).random((1, options.size, options.size, 3)).astype(np.float32)
    target = np.eye(options.classes, dtype=np.float32)[:1]
    for batch in options.batch:
        method = Occlusion(model, batch_size=batch, patch_size=options.patch, patch_stride=options.patch)
        method.explain(image, target)
        clock, processor = time.perf_counter(), time.process_time()
        method.explain(image, target)
        patches = ((options.size - options.patch) // options.patch + 1) ** 2
        spent = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
        print(json.dumps({"batch": batch, "patches": patches} | spent), flush=True)


if __name__ == "__main__":
    main()
