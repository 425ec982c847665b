"""The shop's tables."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class Category(models.Model):
    """A category, optionally within another category."""

    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE)
    slug = models.SlugField(unique=True)


class Customer(models.Model):
    """A customer, optionally with a login."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, db_index=True)
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)


class Product(models.Model):
    """A product, whose key the application generates."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    category = models.ForeignKey(Category, on_delete=models.PROTECT)
    sku = models.CharField(max_length=20)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    tags = models.ManyToManyField("Tag")

    class Meta:
        """A key with two columns, and a CHECK constraint."""

        constraints = (
            models.UniqueConstraint(fields=["category", "sku"], name="one_sku_a_category"),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_not_negative"),
        )


class Tag(models.Model):
    """A tag for products."""

    word = models.CharField(max_length=30, unique=True)


class Order(models.Model):
    """A customer's order."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    number = models.PositiveIntegerField()
    placed = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        """Order numbers are unique for each customer."""

        unique_together = ("customer", "number")
        db_table = "Order"


class OrderLine(models.Model):
    """A line in an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveSmallIntegerField(default=1)

    class Meta:
        """A product occurs at most once in an order."""

        unique_together = ("order", "product")


class Preference(models.Model):
    """A setting for the whole installation."""

    key = models.CharField(max_length=50, primary_key=True)
    value = models.JSONField(default=dict)
