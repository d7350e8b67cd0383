"""The parts of the digit GAN, one by one."""

from __future__ import annotations

import io
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import nn

from contract.errors import InputError
from workloads.options import validated
from workloads.storage import locate
from workloads.training.models.digit_gan import judge, report
from workloads.training.models.digit_gan.images import tiled
from workloads.training.models.digit_gan.model import FILM_FRAMES, Film, squared_gradient
from workloads.training.models.digit_gan.networks import Discriminator, Generator, draw, follow, to_bytes, to_signed
from workloads.training.models.digit_gan.settings import Settings
from workloads.training.runtime import device as devices
from workloads.training.runtime.run import Run
from workloads.training.runtime.settings import RunOptions


def layers(network: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kinds)]


def test_the_reference_generator_goes_from_noise_over_128_maps_of_7x7_and_two_transposed_convolutions_to_tanh() -> None:
    generator = Generator("reference", conditional=False)
    (linear,) = layers(generator, nn.Linear)
    first, second = layers(generator, nn.ConvTranspose2d)
    assert linear.out_features == 128 * 7 * 7
    assert (first.in_channels, first.stride, second.out_channels, second.stride) == (128, (2, 2), 1, (2, 2))
    assert layers(generator, nn.BatchNorm2d)
    assert isinstance(list(generator.layers)[-1], nn.Tanh)


def test_the_reference_discriminator_has_two_strided_convolutions_with_leaky_relu_of_a_fifth() -> None:
    discriminator = Discriminator("reference", conditional=False)
    assert [layer.stride for layer in layers(discriminator, nn.Conv2d)] == [(2, 2), (2, 2)]
    assert [layer.negative_slope for layer in layers(discriminator, nn.LeakyReLU)] == [0.2, 0.2]


@pytest.mark.parametrize("architecture", ["compact", "reference"])
def test_images_and_verdicts_have_the_right_shape_and_range(architecture: str) -> None:
    conditional = architecture == "compact"
    generator = Generator(architecture, conditional=conditional)
    digits = torch.arange(10)
    images = generator(torch.randn(10, generator.noise_size), digits)
    assert images.shape == (10, 1, 28, 28)
    assert images.abs().max() <= 1
    assert Discriminator(architecture, conditional=conditional)(images, digits).shape == (10,)


def test_a_conditional_generator_draws_another_image_when_asked_for_another_digit() -> None:
    torch.manual_seed(0)
    generator = Generator("compact", conditional=True)
    zero, one = draw(generator, torch.tensor([0]), seed=0), draw(generator, torch.tensor([1]), seed=0)
    assert not torch.equal(zero, one)
    unconditional = Generator("compact", conditional=False)
    assert torch.equal(*(draw(unconditional, torch.tensor([digit]), seed=0) for digit in (0, 1)))


def test_the_same_seed_draws_the_same_images_and_another_seed_others() -> None:
    generator = Generator("compact", conditional=True)
    digits = torch.arange(20) % 10
    assert torch.equal(draw(generator, digits, seed=1), draw(generator, digits, seed=1))
    assert not torch.equal(draw(generator, digits, seed=1), draw(generator, digits, seed=2))


def test_the_reference_brings_its_own_settings_and_what_is_given_wins() -> None:
    settings = validated(Settings, {"architecture": "reference", "batch_size": 128})
    assert not settings.conditional
    assert settings.average_decay == 0
    assert settings.generator_learning_rate == settings.discriminator_learning_rate == 2e-4
    assert settings.batch_size == 128


def test_the_reference_cannot_be_conditional() -> None:
    with pytest.raises(InputError, match=r"--conditional True: .*cannot draw a chosen digit"):
        validated(Settings, {"architecture": "reference", "conditional": True})


def test_every_grey_value_survives_the_way_to_the_networks_and_back() -> None:
    images = torch.arange(256, dtype=torch.uint8).repeat(49).reshape(16, 28, 28)
    assert torch.equal(to_bytes(to_signed(images)), images)


def test_averaged_weights_follow_quickly_at_first_and_with_the_given_decay_later() -> None:
    average, trained = nn.Linear(1, 1), nn.Linear(1, 1)
    for network, value in ((average, 0.0), (trained, 1.0)):
        nn.init.constant_(network.weight, value)
    follow(average, trained, decay=0.99, step=1)
    assert average.weight.item() == pytest.approx(1 - 2 / 11)
    nn.init.zeros_(average.weight)
    follow(average, trained, decay=0.99, step=10_000)
    assert average.weight.item() == pytest.approx(0.01)
    follow(average, trained, decay=0, step=10_000)
    assert average.weight.item() == 1


def test_the_penalty_of_a_linear_discriminator_is_the_square_of_its_weights_and_leaves_generated_images_out() -> None:
    weights = torch.randn(28 * 28, requires_grad=True)
    real, generated = torch.randn(5, 1, 28, 28, requires_grad=True), torch.randn(5, 1, 28, 28)
    logits = torch.cat([real, 100 * generated]).flatten(1) @ weights
    penalty = squared_gradient(logits, real)
    assert penalty.item() == pytest.approx(weights.square().sum().item(), rel=1e-5)
    penalty.backward()  # it can be learned from
    assert torch.allclose(weights.grad, 2 * weights)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in float16 on a CPU, which computes in it slowly, but as a GPU does."""
    monkeypatch.setattr(devices, "choose_precision", lambda *_: "float16")
    return Run("digit-gan", Settings(), RunOptions(device="cpu"), locate(str(tmp_path)))


def test_the_penalty_in_float16_does_not_vanish_with_small_gradients(run: Run) -> None:
    discriminator = nn.Linear(28 * 28, 1)
    nn.init.constant_(discriminator.weight, 1e-8)  # float16 has no number between 0 and 6e-8
    real = torch.randn(5, 1, 28, 28, requires_grad=True)
    penalties = []
    for wide_range in (False, True):
        with run.autocast(wide_range=wide_range):
            penalties.append(squared_gradient(discriminator(real.flatten(1)).squeeze(1), real).item())
    assert penalties == [0, pytest.approx(28 * 28 * 1e-16, rel=1e-3)]


class Scaler:
    """A scaler that multiplies the loss by a power of two, which changes no bit of the steps in float32."""

    def __init__(self, scale: float) -> None:
        self._scale, self.steps, self.updates = scale, 0, 0

    def scale(self, loss: torch.Tensor) -> torch.Tensor:
        return loss * self._scale

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                parameter.grad /= self._scale
        self.steps += 1
        optimiser.step()

    def update(self) -> None:
        self.updates += 1


def test_the_judge_scales_its_loss_and_learns_what_it_learns_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_LEAST_STEPS", 3)
    images, labels = torch.randint(256, (50, 28, 28), dtype=torch.uint8), torch.randint(10, (50,))
    weights = []
    for scaler in (Scaler(1), Scaler(1024)):
        run: Any = SimpleNamespace(autocast=nullcontext, new_scaler=lambda scaler=scaler: scaler)
        torch.manual_seed(0)
        weights.append(judge.Judge.trained_on(images, labels, run).network.state_dict())
        assert scaler.updates == 3
        assert scaler.steps >= 3
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name])


def test_the_judge_learns_in_float16(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_LEAST_STEPS", 2)
    images, labels = torch.randint(256, (50, 28, 28), dtype=torch.uint8), torch.randint(10, (50,))
    trained = judge.Judge.trained_on(images, labels, run)
    assert all(tensor.isfinite().all() for tensor in trained.network.state_dict().values())


def test_a_film_has_its_first_and_last_frame_and_more_of_the_beginning() -> None:
    film, taken = Film(1000), []
    for step in range(1000):
        film.step(lambda step=step: taken.append(step) or torch.full((1,), step))  # type: ignore[misc]
    film.step(lambda: torch.full((1,), 1000))
    assert len(film.frames) == FILM_FRAMES + 1
    assert (film.frames[0].item(), film.frames[-1].item()) == (0, 1000)
    assert sum(step < 500 for step in taken) > sum(step >= 500 for step in taken)


def test_a_film_continues_where_its_state_was_taken() -> None:
    def shoot(film: Film, steps: range) -> None:
        for step in steps:
            film.step(lambda step=step: torch.full((1,), step))  # type: ignore[misc]

    whole, first, second = Film(100), Film(100), Film(100)
    shoot(whole, range(101))
    shoot(first, range(37))
    second.load_state_dict(first.state_dict())
    shoot(second, range(37, 101))
    assert torch.equal(torch.stack(second.frames), torch.stack(whole.frames))


def test_the_film_shows_all_frames_once_and_ends_within_five_seconds() -> None:
    frames = [np.full((100, 28, 28), 80 * index, np.uint8) for index in range(4)]
    with Image.open(io.BytesIO(report.film(frames, sample=False))) as film:
        assert film.format == "GIF"
        assert "loop" not in film.info
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    assert len(durations) == 4
    assert sum(durations) < 5_000


def test_tiles_stand_row_by_row() -> None:
    images = np.stack([np.full((28, 28), value, np.uint8) for value in (10, 20, 30)])
    whole = tiled(images, columns=2)
    assert whole.shape == (62, 62)
    assert (whole[10, 10], whole[10, 40], whole[40, 10]) == (10, 20, 30)


def test_every_frame_of_a_film_of_sample_data_says_so() -> None:
    frames = [np.full((100, 28, 28), shade, np.uint8) for shade in (0, 255)]
    with (
        Image.open(io.BytesIO(report.film(frames, sample=False))) as plain,
        Image.open(io.BytesIO(report.film(frames, sample=True))) as marked,
    ):
        assert marked.info["comment"] == b"Sample data. " + plain.info["comment"]
        assert (marked.width, marked.n_frames) == (plain.width, plain.n_frames)
        for frame in ImageSequence.Iterator(marked):
            pixels = np.asarray(frame.convert("L"))
            assert len({*pixels[plain.height :].flat}) > 1
