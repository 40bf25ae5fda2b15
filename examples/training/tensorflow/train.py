"""Handwritten digits with TensorFlow: a chief leads, workers compute, parameter servers hold the weights.

Each pod reads its role from ``TF_CONFIG``, which the operator sets. Workers and parameter servers serve until
they are ended; the chief hands out steps, keeps a checkpoint after each epoch, resumes from it, and ends the
job. A worker that is lost is waited for, and its steps are given to others; a parameter server that is lost
ends the chief, which resumes. On this machine: see README.md.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

FOLDER = "TONNAGE_CHECKPOINT_DIR"
TEST_ITEMS = 297


def arguments() -> argparse.Namespace:
    """What the command line says."""
    folder = os.environ.get(FOLDER)
    parser = argparse.ArgumentParser(description="Learns handwritten digits.")
    parser.add_argument(
        "--checkpoint", type=Path, default=folder, required=folder is None, help=f"folder (${FOLDER})"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32, help="items per step")
    parser.add_argument("--rate", type=float, default=0.1, help="learning rate")
    return parser.parse_args()


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images and digits, in one order everywhere; the last ``TEST_ITEMS`` are kept for the test."""
    images, names = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(names))
    return images[order].astype(np.float32) / 16, names[order].astype(np.int64)


class Network(tf.Module):
    """64 pixels to the scores of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        first, second = (tf.random.stateless_normal(shape, (1, 2)) / 8 for shape in ((64, 64), (64, 10)))
        self.first, self.first_bias = tf.Variable(first), tf.Variable(tf.zeros(64))
        self.second, self.second_bias = tf.Variable(second), tf.Variable(tf.zeros(10))

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Scores of a batch."""
        return tf.nn.relu(images @ self.first + self.first_bias) @ self.second + self.second_bias


def lead(resolver: tf.distribute.cluster_resolver.ClusterResolver, options: argparse.Namespace) -> None:
    """The chief: hand out the steps of every epoch that is not in the checkpoint."""
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        network = Network()
        epoch = tf.Variable(0, dtype=tf.int64)
    images, names = digits()
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(network=network, epoch=epoch), str(options.checkpoint), max_to_keep=2
    )
    resumed = manager.restore_or_initialize()
    print(f"resumes from {resumed}" if resumed else "starts anew", flush=True)

    @tf.function
    def step(rows: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, network(rows)))
        weights = network.trainable_variables
        for variable, slope in zip(weights, tape.gradient(loss, weights), strict=True):
            variable.assign_sub(options.rate * slope)
        return loss

    train = len(names) - TEST_ITEMS
    while (done := int(epoch.numpy())) < options.epochs:
        order = np.random.default_rng(done).permutation(train)
        losses = []
        for at in range(0, train, options.batch):
            batch = order[at : at + options.batch]
            tensors = tf.constant(images[batch]), tf.constant(names[batch])
            losses.append(coordinator.schedule(step, args=tensors))
        coordinator.join()
        epoch.assign_add(1)
        manager.save()
        right = tf.argmax(network(images[-TEST_ITEMS:]), 1).numpy() == names[-TEST_ITEMS:]
        loss = np.mean([one.fetch() for one in losses])
        told = f"epoch {done + 1} of {options.epochs}: loss {loss:.4f}, accuracy {right.mean():.3f}"
        print(told, flush=True)
    print("done", flush=True)


def main() -> int:
    """Do what this pod's role is."""
    options = arguments()
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    print(f"{resolver.task_type} {resolver.task_id}", flush=True)
    if resolver.task_type == "chief":
        lead(resolver, options)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the chief is done: so is everybody
    server = tf.distribute.Server(
        resolver.cluster_spec(), job_name=resolver.task_type, task_index=resolver.task_id, protocol="grpc"
    )
    server.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
